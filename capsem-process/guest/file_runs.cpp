#include "guest/file_runs.h"

#include <algorithm>

#include "wire/limits.h"

namespace capsem::process {

StatusOr<Weak<FileRun>> FileRuns::Start(const FileAnswer::Request& request, FileSink sink) {
  // Later: this may be called from within one of them.
  loop_.Post([self = weak_.Get()] {
    if (self) self->Sweep();
  });
  const auto running =
      std::ranges::count_if(runs_, [](const auto& item) { return !item.second->run.ended(); });
  if (static_cast<size_t>(running) >= wire::kMaxFileCalls) {
    return WithRemedy(ResourceExhausted("{} operations on files run in this session", running),
                      "wait for one to end");
  }
  const wire::ChannelId channel = TRY(mux_().Open(wire::ChannelKind::kFile));
  auto& entry = runs_[channel];
  entry = std::make_unique<Entry>(
      request, channel, [this]() -> wire::Mux& { return mux_(); }, std::move(sink));
  return entry->weak.Get();
}

FileRun* FileRuns::Find(wire::ChannelId channel) {
  const auto found = runs_.find(channel);
  return found == runs_.end() ? nullptr : &found->second->run;
}

void FileRuns::FailAll(const Status& reason) {
  for (auto& [channel, entry] : runs_) entry->run.Fail(reason);
}

void FileRuns::OnNewLink() {
  for (auto& [channel, entry] : runs_) entry->run.OnWritable();
}

void FileRuns::Sweep() {
  std::erase_if(runs_, [](const auto& item) { return item.second->run.ended(); });
}

}  // namespace capsem::process
