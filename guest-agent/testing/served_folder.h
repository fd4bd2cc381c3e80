// A read-only file system whose server is the loop of the very process that starts commands from
// it: the proof that the agent never waits for what it serves. If it did, both would stand still
// for ever. A flat folder of files held in memory; for tests, and for an agent built for them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/fd_watch.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace capsem::agent {

class ServedFolder {
 public:
  struct File {
    std::string name;
    std::string content;
  };

  // PermissionDenied, NotFound: no right to mount, no FUSE.
  static StatusOr<std::unique_ptr<ServedFolder>> Mount(Loop& loop, std::string path,
                                                       std::vector<File> files);
  ~ServedFolder();
  ServedFolder(const ServedFolder&) = delete;
  ServedFolder& operator=(const ServedFolder&) = delete;

  size_t answered() const { return answered_; }

 private:
  ServedFolder(Loop& loop, UniqueFd device, std::string path, std::vector<File> files);
  void OnRequest();
  std::string Answer(uint32_t opcode, uint64_t node, std::string_view body, int& error);
  std::string Lookup(std::string_view name, int& error);
  std::string Attributes(uint64_t node);
  std::string Read(uint64_t node, std::string_view body);
  std::string List(std::string_view body);

  const UniqueFd device_;
  const std::string path_;
  const std::vector<File> files_;
  size_t answered_ = 0;
  FdWatch watch_;  // after device_: destroyed first
};

// What the proof needs: a program, a shell under another name, a script that wants that shell, and
// a library; copied from this machine's own.
StatusOr<std::vector<ServedFolder::File>> ServedPrograms(const std::string& path);

}  // namespace capsem::agent
