// A weak handle for callbacks that may come late: the owner holds a WeakOwner<T>, callbacks hold a
// Weak<T> and ask. One thread only (the loop): there is no promotion, the pointer is good until
// control returns to the loop.
//
//   class Call { WeakOwner<Call> weak_{this}; ... timer.Start(5s, [self = weak_.Get()] { if (self)
//   self->GiveUp(); }); };
#pragma once

#include <memory>

namespace capsem {

template <typename T>
class Weak {
 public:
  Weak() = default;
  explicit Weak(std::weak_ptr<T*> slot) : slot_(std::move(slot)) {}
  T* get() const {
    const auto slot = slot_.lock();
    return slot ? *slot : nullptr;
  }
  explicit operator bool() const { return get() != nullptr; }
  T* operator->() const { return get(); }

 private:
  std::weak_ptr<T*> slot_;
};

template <typename T>
class WeakOwner {
 public:
  explicit WeakOwner(T* object) : slot_(std::make_shared<T*>(object)) {}
  WeakOwner(const WeakOwner&) = delete;
  WeakOwner& operator=(const WeakOwner&) = delete;
  Weak<T> Get() const { return Weak<T>(slot_); }
  // From here on every handle is empty, although the object lives.
  void Invalidate() { slot_.reset(); }

 private:
  std::shared_ptr<T*> slot_;
};

}  // namespace capsem
