#include "files/file_table.h"

#include "capsem/guest/v1/guest.pb.h"
#include "wire/frame.h"
#include "wire/limits.h"

namespace capsem::agent {

FileTable::FileTable(wire::Mux& mux, ExecServices services, FileRoot root)
    : mux_(mux), services_(services), root_(root) {}

void FileTable::OnOpen(wire::ChannelId channel) {
  if (!enabled_) return Refuse(channel, Unavailable("the machine is shutting down"));
  // Those that the host has given up count until their processes are gone.
  if (jobs_.size() >= 2 * wire::kMaxFileCalls)
    return Refuse(channel, ResourceExhausted("{} operations on files run", jobs_.size()));
  auto job = std::make_unique<FileJob>(services_, mux_, channel, [this, channel] {
    services_.loop.Post([self = weak_.Get(), channel] {
      if (self) self->jobs_.erase(channel);
    });
  });
  const Status started = job->Start(root_);
  if (!started.ok()) return Refuse(channel, started);
  jobs_[channel] = std::move(job);
}

void FileTable::Refuse(wire::ChannelId channel, const Status& why) {
  capsem::guest::v1::FileEnd end;
  end.set_code(static_cast<uint32_t>(why.code()));
  end.set_cause(std::string(Message(why)));
  mux_.Write(channel, wire::EncodeFrame(wire::FrameKind::kFileEnd, end.SerializeAsString()));
  mux_.Finish(channel);
}

void FileTable::OnReadable(wire::ChannelId channel) {
  const auto found = jobs_.find(channel);
  if (found != jobs_.end()) found->second->OnReadable();
}

void FileTable::OnWritable(wire::ChannelId channel) {
  const auto found = jobs_.find(channel);
  if (found != jobs_.end()) found->second->OnWritable();
}

void FileTable::OnReset(wire::ChannelId channel) {
  const auto found = jobs_.find(channel);
  if (found != jobs_.end()) found->second->OnReset();
}

}  // namespace capsem::agent
