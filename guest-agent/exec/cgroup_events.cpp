#include "exec/cgroup_events.h"

#include <fcntl.h>

#include <string_view>

namespace capsem::agent {

std::optional<bool> Populated(int events) {
  char text[128];
  const ssize_t count = pread(events, text, sizeof text, 0);
  if (count <= 0) return std::nullopt;
  const std::string_view told(text, static_cast<size_t>(count));
  return told.find("populated 0") == std::string_view::npos;
}

CgroupEvents::CgroupEvents(Loop& loop, int group, absl::AnyInvocable<void()> empty)
    : events_(openat(group, "cgroup.events", O_RDONLY | O_CLOEXEC)),
      empty_(std::move(empty)),
      watch_(loop, events_.get(), [this](int) { Look(); }) {
  watch_.Want(UV_PRIORITIZED);
  loop.Post([self = weak_.Get()] {
    if (self) self->Look();
  });
}

// Reading is what arms the kernel's next notice: nothing is missed between the look and the wait.
void CgroupEvents::Look() {
  if (!empty_ || Populated(events_.get()).value_or(false)) return;
  watch_.Want(0);
  auto empty = std::exchange(empty_, nullptr);  // it may destroy this
  empty();
}

}  // namespace capsem::agent
