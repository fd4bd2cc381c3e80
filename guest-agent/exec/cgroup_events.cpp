#include "exec/cgroup_events.h"

#include <fcntl.h>

#include <string_view>

namespace capsem::agent {

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
  char text[128];
  const ssize_t count = pread(events_.get(), text, sizeof text, 0);
  const std::string_view events(text, count > 0 ? static_cast<size_t>(count) : 0);
  // A group that has been removed under us (ENODEV) is empty, too.
  if (!empty_ || (count > 0 && events.find("populated 0") == std::string_view::npos)) return;
  watch_.Want(0);
  auto empty = std::exchange(empty_, nullptr);  // it may destroy this
  empty();
}

}  // namespace capsem::agent
