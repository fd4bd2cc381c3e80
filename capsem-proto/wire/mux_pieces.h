// What one pull of the multiplexer hands to the connection, as pieces: headers of its own and bytes
// that stay in the channels' queues, so that they are copied by nobody but the kernel. Internal to
// wire/mux.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace capsem::wire {

class MuxPieces {
 public:
  // Where headers and other small things are appended.
  std::string& small() { return small_; }
  // Bytes that stay where they are until View is done with.
  void Add(std::string_view bytes) {
    bodies_.push_back({small_.size(), bytes});
    body_bytes_ += bytes.size();
  }
  size_t size() const { return small_.size() + body_bytes_; }
  // All of it, in order; valid until the next change here or in the channels.
  std::span<const std::string_view> View();
  void Clear();

 private:
  struct Body {
    size_t after;  // so many small bytes come before it
    std::string_view bytes;
  };
  std::string small_;
  std::vector<Body> bodies_;
  size_t body_bytes_ = 0;
  std::vector<std::string_view> view_;
};

}  // namespace capsem::wire
