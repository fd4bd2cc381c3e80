// Configuration as data: a MachineSpec in, a libvirt domain's XML out. Pure; the golden files
// beside the test are what it says. Every device has its PCI address here, and none is left to
// libvirt's choice: a saved machine must find them where they were.
#pragma once

#include <string>

#include "define/machine_spec.h"

namespace capsem::service {

// libvirt's alias of the root port that is kept free for hot-plug; QEMU's id of it is
// kHotplugBus.
inline constexpr char kHotplugAlias[] = "ua-hotplug0";
inline constexpr char kHotplugBus[] = "hotplug0";

std::string DomainXml(const MachineSpec& spec);

}  // namespace capsem::service
