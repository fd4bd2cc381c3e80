// Platform: x86; elsewhere: libvirt refuses the architecture, and the error names it.
#include "define/domain_xml.h"

#include <fmt/format.h>

#include <string_view>

namespace capsem::service {
namespace {

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      case '\'': escaped += "&apos;"; break;
      case '"': escaped += "&quot;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

// match='exact' with check='none': QEMU may leave out what the host lacks, libvirt changes nothing.
std::string Cpu(const CpuModel& cpu) {
  std::string xml = fmt::format(
      "  <cpu mode='custom' match='exact' check='none'>\n"
      "    <model fallback='forbid'>{}</model>\n",
      Escaped(cpu.name));
  for (const std::string& feature : cpu.without) {
    xml += fmt::format("    <feature policy='disable' name='{}'/>\n", Escaped(feature));
  }
  return xml + "  </cpu>\n";
}

std::string Head(const MachineSpec& spec) {
  return fmt::format(
      "<domain type='{}'>\n"
      "  <name>{}</name>\n"
      "  <uuid>{}</uuid>\n"
      "  <genid>{}</genid>\n"
      "  <memory unit='MiB'>{}</memory>\n"
      // The guest's memory is shared with the process that is its vsock device.
      "  <memoryBacking>\n"
      "    <source type='file'/>\n"
      "    <access mode='shared'/>\n"
      "  </memoryBacking>\n"
      "  <vcpu placement='static'>{}</vcpu>\n",
      spec.accelerator == Accelerator::kKvm ? "kvm" : "qemu", Escaped(spec.name),
      Escaped(spec.uuid), Escaped(spec.genid), spec.memory_mib, spec.cpus);
}

std::string System(const MachineSpec& spec) {
  return fmt::format(
      "  <os>\n"
      "    <type arch='x86_64' machine='{}'>hvm</type>\n"
      "    <kernel>{}</kernel>\n"
      "    <initrd>{}</initrd>\n"
      "    <cmdline>{}</cmdline>\n"
      "  </os>\n"
      // Nothing that a guest could attack and does not need.
      "  <features>\n"
      "    <acpi/>\n"
      "    <apic/>\n"
      "    <vmport state='off'/>\n"
      "    <smm state='off'/>\n"
      "  </features>\n"
      "{}"
      "  <clock offset='utc'>\n"
      "    <timer name='hpet' present='no'/>\n"
      "  </clock>\n"
      // A machine that has ended is gone: who wants it again starts a new one.
      "  <on_poweroff>destroy</on_poweroff>\n"
      "  <on_reboot>destroy</on_reboot>\n"
      "  <on_crash>destroy</on_crash>\n",
      Escaped(spec.machine_type), Escaped(spec.files.kernel), Escaped(spec.files.initrd),
      Escaped(KernelCommandLine(spec)), Cpu(spec.cpu));
}

// error_policy: a host without space pauses the machine instead of telling the guest of a broken
// disk.
std::string Disks(const MachineFiles& files) {
  return fmt::format(
      "    <disk type='file' device='disk'>\n"
      "      <driver name='qemu' type='raw' cache='writeback' error_policy='stop'/>\n"
      "      <source file='{}'/>\n"
      "      <target dev='vda' bus='virtio'/>\n"
      "      <readonly/>\n"
      "      <serial>capsem-root</serial>\n"
      "      <address type='pci' domain='0' bus='0' slot='0x02' function='0'/>\n"
      "    </disk>\n"
      "    <disk type='file' device='disk'>\n"
      "      <driver name='qemu' type='raw' cache='writeback' error_policy='stop' "
      "discard='unmap'/>\n"
      "      <source file='{}'/>\n"
      "      <target dev='vdb' bus='virtio'/>\n"
      "      <serial>capsem-disk</serial>\n"
      "      <address type='pci' domain='0' bus='0' slot='0x03' function='0'/>\n"
      "    </disk>\n",
      Escaped(files.root), Escaped(files.disk));
}

std::string Devices(const MachineSpec& spec) {
  return fmt::format(
      "  <devices>\n"
      "    <emulator>{}</emulator>\n"
      "{}"
      "    <controller type='pci' index='0' model='pcie-root'/>\n"
      "    <controller type='pci' index='1' model='pcie-root-port'>\n"
      "      <alias name='{}'/>\n"
      "      <target chassis='1' port='0x10' hotplug='on'/>\n"
      "      <address type='pci' domain='0' bus='0' slot='0x08' function='0'/>\n"
      "    </controller>\n"
      "    <controller type='sata' index='0'>\n"
      "      <address type='pci' domain='0' bus='0' slot='0x1f' function='2'/>\n"
      "    </controller>\n"
      "    <controller type='usb' model='none'/>\n"
      "    <serial type='unix'>\n"
      "      <source mode='bind' path='{}'/>\n"
      "      <target type='isa-serial' port='0'>\n"
      "        <model name='isa-serial'/>\n"
      "      </target>\n"
      "    </serial>\n"
      "    <memballoon model='virtio' freePageReporting='on'>\n"
      "      <address type='pci' domain='0' bus='0' slot='0x04' function='0'/>\n"
      "    </memballoon>\n"
      "    <audio id='1' type='none'/>\n"
      "  </devices>\n"
      "</domain>\n",
      Escaped(spec.emulator), Disks(spec.files), kHotplugAlias, Escaped(spec.files.serial));
}

}  // namespace

std::string DomainXml(const MachineSpec& spec) { return Head(spec) + System(spec) + Devices(spec); }

}  // namespace capsem::service
