// What a machine is, before libvirt or QEMU have heard of it: a plain struct, made by a pure
// function and then filled in by whoever wants the machine. Everything that decides the shape of
// the machine stands here; name, uuid, genid and files are one session's own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace capsem::service {

enum class Accelerator { kTcg, kKvm };
enum class HostCpu { kIntel, kAmd };
enum class GuestAslr { kOff, kOn };

struct CpuModel {
  std::string name;                  // as libvirt and QEMU spell it; never "max" or "host"
  std::vector<std::string> without;  // features of that model left out, in libvirt's spelling
};

// Where things lie, for people who read domain.xml. QEMU gets descriptors instead of names.
struct MachineFiles {
  std::string kernel;
  std::string initrd;
  std::string root;    // erofs, read-only
  std::string disk;    // raw, writable
  std::string serial;  // a socket's name
};

struct MachineSpec {
  // The session's own.
  std::string name;   // [a-z0-9-], the session's id
  std::string uuid;   // see RandomUuid
  std::string genid;  // a new one whenever the machine becomes another one (fork, restore)
  MachineFiles files;
  // The shape.
  int cpus = 1;
  int memory_mib = 512;
  Accelerator accelerator = Accelerator::kTcg;
  GuestAslr guest_aslr = GuestAslr::kOn;
  int tsc_mhz = 0;  // what an emulated guest's counter runs at (host_tsc.h); 0: unknown
  CpuModel cpu;
  std::string machine_type;
  std::string emulator;
};

// A shape with every default filled in and the session's own fields empty.
MachineSpec MakeMachineSpec(Accelerator accelerator, HostCpu host_cpu);
// The same shape with placeholders for the session's own fields: what is compiled and cached.
MachineSpec ShapeOf(const MachineSpec& spec);

std::string KernelCommandLine(const MachineSpec& spec);
// "hardware" or "emulated": how strongly the guest is kept in, for people.
std::string_view Isolation(Accelerator accelerator);
std::string_view AcceleratorName(Accelerator accelerator);

// From /proc/cpuinfo's text; whoever is not AMD (or its licensee Hygon) is treated as Intel.
HostCpu HostCpuFrom(std::string_view cpuinfo);
// Version 4, from the kernel's random numbers.
std::string RandomUuid();

}  // namespace capsem::service
