// Every operation on files that the host has asked for: a channel and a job each. On the loop.
#pragma once

#include <map>
#include <memory>

#include "files/file_job.h"

namespace capsem::agent {

class FileTable {
 public:
  // `root` is kept open by the caller.
  FileTable(wire::Mux& mux, ExecServices services, FileRoot root);
  FileTable(const FileTable&) = delete;
  FileTable& operator=(const FileTable&) = delete;

  // What the multiplexer tells about channels of files.
  void OnOpen(wire::ChannelId channel);
  void OnReadable(wire::ChannelId channel);
  void OnWritable(wire::ChannelId channel);
  void OnReset(wire::ChannelId channel);
  bool Has(wire::ChannelId channel) const { return jobs_.contains(channel); }

  // The machine has its identity; or is shutting down. Before and after that, calls are refused.
  void Enable() { enabled_ = true; }
  void Disable() { enabled_ = false; }

 private:
  // Answers a call that is not even tried.
  void Refuse(wire::ChannelId channel, const Status& why);

  wire::Mux& mux_;
  ExecServices services_;
  const FileRoot root_;
  bool enabled_ = false;
  std::map<wire::ChannelId, std::unique_ptr<FileJob>> jobs_;
  WeakOwner<FileTable> weak_{this};
};

}  // namespace capsem::agent
