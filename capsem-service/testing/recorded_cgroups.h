// A tree of cgroup v2 in a scratch folder, and of /proc what speaks of it, for tests: the folder of
// a unit that systemd has delegated, as it was recorded, and a kernel that does with it what Linux
// does, or refuses what the test says.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "base/testing/temp_dir.h"
#include "supervise/cgroup_files.h"

namespace capsem::service {

class RecordedCgroups {
 public:
  // Paths in the tree; this process is in the unit itself.
  static constexpr const char* kSlice = "/user.slice/user-1000.slice/user@1000.service/app.slice";
  static constexpr const char* kUnit =
      "/user.slice/user-1000.slice/user@1000.service/app.slice/capsem.service";

  RecordedCgroups() {
    std::filesystem::create_directories(dir_ / "proc/self");
    Put(dir_ / "proc/self/mountinfo",
        "22 28 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw\n"
        "29 22 0:26 / " +
            dir_ / "cgroup" +
            " rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
            "rw,nsdelegate,memory_recursiveprot\n");
    std::filesystem::create_directories(dir_ / "cgroup" + kSlice);
    Put(dir_ / "cgroup" + kSlice + "/cgroup.subtree_control", "cpu memory pids\n");
    Make(unit()).IgnoreError();
    Enter("self", kUnit);
    marks.insert(unit());
  }

  CgroupFiles files() {
    CgroupFiles files;
    files.proc = dir_ / "proc";
    files.marked = [this](const std::string& folder) { return marks.contains(folder); };
    files.make = [this](const std::string& folder) { return Make(folder); };
    files.write = [this](const std::string& file, std::string_view text) {
      return Write(file, std::string(text));
    };
    files.remove = [this](const std::string& folder) { return Remove(folder); };
    return files;
  }

  std::string unit() const { return dir_ / "cgroup" + kUnit; }
  std::string proc() const { return dir_ / "proc"; }
  // Of a control file below the unit, without its newline.
  std::string Read(const std::string& name) const {
    std::ifstream file(unit() + "/" + name);
    std::string text;
    std::getline(file, text);
    return text;
  }
  bool Has(const std::string& name) const { return std::filesystem::exists(unit() + "/" + name); }
  void Put(const std::string& path, const std::string& text) const { std::ofstream(path) << text; }
  // Puts a process into a group, given by its path in the tree.
  void Enter(const std::string& pid, const std::string& path) {
    std::filesystem::create_directories(dir_ / "proc/" + pid);
    Put(dir_ / "proc/" + pid + "/cgroup", "0::" + path + "\n");
    for (auto& [group, pids] : members_) pids.erase(pid);
    members_[dir_ / "cgroup" + path].insert(pid);
  }
  void End(const std::string& pid) {
    for (auto& [group, pids] : members_) pids.erase(pid);
    std::filesystem::remove_all(dir_ / "proc/" + pid);
  }

  std::set<std::string> marks;  // folders that were delegated
  // What is written, as "FILE TEXT" with the name of the file alone, and what the kernel says to
  // it.
  std::map<std::string, Status> refused;

 private:
  Status Make(const std::string& folder) {
    if (const auto it = refused.find("mkdir"); it != refused.end()) return it->second;
    if (!std::filesystem::create_directory(folder))
      return AlreadyExists("{} is there already", folder);
    for (const auto& [name, text] : {std::pair("cgroup.events", "populated 0\nfrozen 0\n"),
                                     {"cgroup.kill", ""},
                                     {"cgroup.procs", ""},
                                     {"cgroup.subtree_control", "\n"},
                                     {"cgroup.type", "domain\n"}})
      Put(folder + "/" + name, text);
    Provide(folder);
    return OkStatus();
  }

  // The files of the controllers that the folder above has on for those below it.
  void Provide(const std::string& folder) {
    const std::string above = std::filesystem::path(folder).parent_path().string();
    const std::set<std::string> on = WordsIn(above + "/cgroup.subtree_control");
    std::string controllers;
    for (const auto& [controller, file, text] : {std::tuple("cpu", "/cpu.weight", "100\n"),
                                                 {"memory", "/memory.max", "max\n"},
                                                 {"pids", "/pids.max", "max\n"}}) {
      if (on.contains(controller))
        controllers += controllers.empty() ? controller : fmt::format(" {}", controller);
      if (!on.contains(controller)) std::filesystem::remove(folder + file);
      if (on.contains(controller) && !std::filesystem::exists(folder + file))
        Put(folder + file, text);
    }
    Put(folder + "/cgroup.controllers", controllers + "\n");
  }

  static std::set<std::string> WordsIn(const std::string& file) {
    std::ifstream words(file);
    return {std::istream_iterator<std::string>(words), {}};
  }

  Status Write(const std::string& path, const std::string& text) {
    const std::string name = std::filesystem::path(path).filename().string();
    if (const auto it = refused.find(name + " " + text); it != refused.end()) return it->second;
    if (!std::filesystem::exists(path)) return ErrnoStatus(ENOENT, "open " + path);
    const std::string folder = std::filesystem::path(path).parent_path().string();
    if (name == "cgroup.subtree_control") return Divide(folder, text);
    if (name == "cgroup.procs") {
      Enter("self", folder.substr((dir_ / "cgroup").size()));
    } else {
      Put(path, text + "\n");
    }
    return OkStatus();
  }

  Status Divide(const std::string& folder, const std::string& text) {
    if (text[0] == '+' && !members_[folder].empty())
      return FailedPrecondition("{} has processes of its own", folder);
    std::set<std::string> on = WordsIn(folder + "/cgroup.subtree_control");
    if (text[0] == '+') {
      on.insert(text.substr(1));
    } else {
      on.erase(text.substr(1));
    }
    std::string line;
    for (const std::string& one : on) line += (line.empty() ? "" : " ") + one;
    Put(folder + "/cgroup.subtree_control", line + "\n");
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      if (entry.is_directory()) Provide(entry.path().string());
    return OkStatus();
  }

  Status Remove(const std::string& folder) {
    if (!std::filesystem::exists(folder)) return NotFound("{} is not there", folder);
    if (!members_[folder].empty()) return FailedPrecondition("somebody lives in {}", folder);
    std::filesystem::remove_all(folder);
    return OkStatus();
  }

  const TempDir dir_;
  std::map<std::string, std::set<std::string>> members_;
};

}  // namespace capsem::service
