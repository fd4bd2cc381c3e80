// The table is at the end: rules in the order in which libvirt writes options. A rule is chosen by
// the option's name and, where one option serves many purposes, by one member of its value.
//
// Platform: x86; elsewhere: libvirt's options for that machine are unknown, and the error names
// one.
#include "define/argv_rules.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "define/domain_xml.h"
#include "define/native_command.h"

namespace capsem::service {
namespace {

// Ordered, so that an option reads as libvirt wrote it.
using Json = nlohmann::ordered_json;

// 32 MiB of translated code: enough for a build in the guest, and what a small host can spare.
constexpr char kAcceleratorTcg[] = "tcg,tb-size=32";
constexpr char kSandbox[] =
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";
constexpr char kRamId[] = "pc.ram";

// What a rule may read, and where it writes.
struct Rewriting {
  const MachineSpec& shape;
  std::vector<std::string> argv = {};
  std::set<std::string, std::less<>> holes = {};  // names of the {fd:…} made so far
  int fd_sets = 0;

  void Emit(std::string_view name) { argv.emplace_back(name); }
  void Emit(std::string_view name, std::string_view value) {
    argv.emplace_back(name);
    argv.emplace_back(value);
  }
  std::string Hole(std::string_view name) {
    holes.emplace(name);
    return fmt::format("{{fd:{}}}", name);
  }
};

struct Option {
  std::string name;
  std::string text;  // empty for flags
  Json json;         // an object when the value is one; null otherwise

  // A member of the value in either notation; "" when there is none.
  std::string Get(std::string_view key) const {
    if (!json.is_object()) return std::string(KeyValues::Parse(text).Find(key).value_or(""));
    const auto member = json.find(key);
    if (member == json.end()) return "";
    return member->is_string() ? member->get<std::string>() : member->dump();
  }
};

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

using Action = Status (*)(const Option&, Rewriting&);

Status Keep(const Option& option, Rewriting& out) {
  out.Emit(option.name);
  if (!option.text.empty()) out.argv.push_back(option.text);
  return OkStatus();
}

Status Drop(const Option&, Rewriting&) { return OkStatus(); }

Status SessionName(const Option& option, Rewriting& out) {
  KeyValues values = KeyValues::Parse(option.text);
  values.Set("guest", "{session:name}");
  out.Emit("-name", values.Text());
  return OkStatus();
}

Status SessionUuid(const Option&, Rewriting& out) {
  out.Emit("-uuid", "{session:uuid}");
  return OkStatus();
}

Status SessionGenid(const Option& option, Rewriting& out) {
  Json device = option.json;
  device["guid"] = "{session:genid}";
  out.Emit("-device", Dump(device));
  return OkStatus();
}

Status MachineType(const Option& option, Rewriting& out) {
  if (option.Get("memory-backend") != kRamId) {
    return Internal("libvirt's machine has no memory backend {}: {}", kRamId, option.text);
  }
  return Keep(option, out);
}

Status TcgAccelerator(const Option&, Rewriting& out) {
  out.Emit("-accel", kAcceleratorTcg);
  return OkStatus();
}

Status Ram(const Option& option, Rewriting& out) {
  if (option.Get("id") != kRamId || option.Get("share") != "true") {
    return Internal("libvirt's memory is not the shared backend {}: {}", kRamId, option.text);
  }
  Json object = option.json;
  object["mem-path"] = "/proc/self/fd/" + out.Hole("ram");
  out.Emit("-object", Dump(object));
  return OkStatus();
}

Status Monitor(const Option&, Rewriting& out) {
  out.Emit("-chardev", fmt::format("socket,id=qmp,fd={}", out.Hole("qmp")));
  out.Emit("-mon", "chardev=qmp,id=monitor,mode=control");
  return OkStatus();
}

Status Serial(const Option& option, Rewriting& out) {
  out.Emit("-chardev", fmt::format("socket,id={},fd={}", option.Get("id"), out.Hole("serial")));
  return OkStatus();
}

Status Kernel(const Option&, Rewriting& out) {
  out.Emit("-kernel", "/proc/self/fd/" + out.Hole("kernel"));
  return OkStatus();
}

Status Initrd(const Option&, Rewriting& out) {
  out.Emit("-initrd", "/proc/self/fd/" + out.Hole("initrd"));
  return OkStatus();
}

// A descriptor is opened for reading or for writing and stays so: auto-read-only, which opens a
// file anew, has no place here.
Status DiskFile(const Option& option, Rewriting& out) {
  const std::string file = option.Get("filename");
  const bool is_root = file == out.shape.files.root;
  if (!is_root && file != out.shape.files.disk) {
    return Internal("libvirt opens a file that the machine does not have: {}", file);
  }
  const int set = ++out.fd_sets;
  out.Emit("-add-fd", fmt::format("fd={},set={}", out.Hole(is_root ? "root" : "disk"), set));
  Json node = option.json;
  node["filename"] = fmt::format("/dev/fdset/{}", set);
  node.erase("auto-read-only");
  node["read-only"] = is_root;
  // All machines of an image read one file, and nobody ever writes it.
  if (is_root) node["locking"] = "off";
  out.Emit("-blockdev", Dump(node));
  return OkStatus();
}

Status RootPort(const Option& option, Rewriting& out) {
  Json device = option.json;
  if (device.value("id", "") == kHotplugAlias) device["id"] = kHotplugBus;
  out.Emit("-device", Dump(device));
  return OkStatus();
}

struct Rule {
  std::string_view option;
  std::string_view key;    // empty: every use of the option
  std::string_view value;  // of that key
  Action action;
};

constexpr Rule kRules[] = {
    {"-name", "", "", SessionName},
    {"-S", "", "", Keep},
    {"-object", "qom-type", "secret", Drop},  // masterKey0: nothing of ours is encrypted with it
    {"-object", "qom-type", "memory-backend-file", Ram},
    {"-machine", "", "", MachineType},
    {"-accel", "", "tcg", TcgAccelerator},
    {"-cpu", "", "", Keep},
    {"-m", "", "", Keep},
    {"-overcommit", "", "", Keep},
    {"-smp", "", "", Keep},
    {"-uuid", "", "", SessionUuid},
    {"-display", "", "none", Keep},
    {"-no-user-config", "", "", Keep},
    {"-nodefaults", "", "", Keep},
    {"-chardev", "id", "charmonitor", Monitor},
    {"-mon", "", "", Drop},  // made by Monitor, together with its chardev
    {"-chardev", "id", "charserial0", Serial},
    {"-rtc", "", "", Keep},
    {"-no-hpet", "", "", Keep},          // to libvirt 9; later a member of -machine
    {"-no-shutdown", "", "", Drop},      // libvirt would end QEMU itself; ours ends with its guest
    {"-no-reboot", "", "", Drop},        // added at the end, wherever it came from
    {"-watchdog-action", "", "", Drop},  // the chipset's watchdog stays off, as QEMU has it
    {"-global", "ICH9-LPC.noreboot", "off", Drop},
    {"-boot", "", "", Keep},
    {"-kernel", "", "", Kernel},
    {"-initrd", "", "", Initrd},
    {"-append", "", "", Keep},
    {"-blockdev", "driver", "file", DiskFile},
    {"-blockdev", "driver", "raw", Keep},  // a layer of its own up to libvirt 9
    {"-device", "driver", "vmgenid", SessionGenid},
    {"-device", "driver", "pcie-root-port", RootPort},
    {"-device", "driver", "virtio-blk-pci", Keep},
    {"-device", "driver", "isa-serial", Keep},
    {"-device", "driver", "virtio-balloon-pci", Keep},
    {"-device", "driver", "qemu-xhci", Drop},
    {"-audiodev", "", "", Drop},
    {"-sandbox", "", "", Drop},  // added at the end: ours does not depend on the host's qemu.conf
    {"-msg", "", "", Keep},
};

const Rule* FindRule(const Option& option) {
  const auto rule = std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& rule) {
    return rule.option == option.name && (rule.value.empty() || option.Get(rule.key) == rule.value);
  });
  return rule == std::end(kRules) ? nullptr : rule;
}

StatusOr<Option> Understand(const NativeOption& native) {
  Option option{native.name, native.value.value_or(""), nullptr};
  if (!option.text.starts_with('{')) return option;
  option.json = Json::parse(option.text, nullptr, /*allow_exceptions=*/false);
  if (!option.json.is_object()) {
    return Internal("libvirt's {} is no JSON object: {}", option.name, option.text);
  }
  return option;
}

Status RequireComplete(const Rewriting& out) {
  for (const std::string_view hole : {"ram", "qmp", "serial", "kernel", "initrd", "root", "disk"}) {
    if (!out.holes.contains(hole)) return Internal("libvirt's command has no {}", hole);
  }
  for (const std::string_view option :
       {"-S", "-nodefaults", "-no-user-config", "-machine", "-accel", "-cpu", "-append"}) {
    if (std::find(out.argv.begin(), out.argv.end(), option) == out.argv.end()) {
      return Internal("libvirt's command has no {}", option);
    }
  }
  return OkStatus();
}

// The value of an option; every argv of ours has those that are asked for.
std::string& ValueOf(std::vector<std::string>& argv, std::string_view option) {
  const auto found = std::find(argv.begin(), argv.end(), option);
  ENSURE(found != argv.end() && found + 1 != argv.end());
  return *(found + 1);
}

std::string CpuArgument(const CpuModel& cpu) {
  std::string argument = cpu.name;
  for (std::string feature : cpu.without) {
    std::replace(feature.begin(), feature.end(), '_', '-');
    argument += "," + feature + "=off";
  }
  return argument;
}

void ReplaceAll(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

}  // namespace

StatusOr<std::vector<std::string>> ArgvFromNative(std::string_view native,
                                                  const MachineSpec& shape) {
  const NativeCommand command = TRY(ParseNativeCommand(native));
  Rewriting out{shape};
  out.Emit(command.emulator);
  for (const NativeOption& native_option : command.options) {
    const Option option = TRY(Understand(native_option));
    const Rule* rule = FindRule(option);
    if (rule == nullptr) {
      return WithRemedy(
          Internal("libvirt made an option that no rule knows: {} {}", option.name, option.text),
          "please report it with the versions that `capsem version` prints");
    }
    TRY(rule->action(option, out));
  }
  TRY(RequireComplete(out));
  // A guest that restarts or panics ends: whoever owns the session decides what comes then.
  out.Emit("-no-reboot");
  out.Emit("-sandbox", kSandbox);
  return std::move(out.argv);
}

std::vector<std::string> ForAccelerator(std::vector<std::string> argv, const MachineSpec& spec) {
  if (spec.accelerator == Accelerator::kTcg) return argv;
  ValueOf(argv, "-accel") = "kvm";
  ValueOf(argv, "-cpu") = CpuArgument(spec.cpu);
  ValueOf(argv, "-append") = KernelCommandLine(spec);
  return argv;
}

StatusOr<std::vector<std::string>> ForSession(std::vector<std::string> argv,
                                              const MachineSpec& spec) {
  for (const std::string* value : {&spec.name, &spec.uuid, &spec.genid}) {
    const bool plain = std::all_of(value->begin(), value->end(), [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-';
    });
    if (value->empty() || !plain) {
      return InvalidArgument("a machine's name, uuid and genid are letters, digits and '-': {:?}",
                             *value);
    }
  }
  for (std::string& argument : argv) {
    ReplaceAll(argument, "{session:name}", spec.name);
    ReplaceAll(argument, "{session:uuid}", spec.uuid);
    ReplaceAll(argument, "{session:genid}", spec.genid);
  }
  return argv;
}

}  // namespace capsem::service
