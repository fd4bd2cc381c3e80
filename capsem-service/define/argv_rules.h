// From libvirt's command line to ours: a table says for each option whether it is kept, dropped, or
// replaced by a hole that is filled later. An option that no rule knows is an error that names it,
// so that a newer libvirt can never slip something into a machine unseen. Pure; the tests run it
// over recorded commands of two versions of libvirt.
//
// Two kinds of holes stand inside of arguments:
//   {fd:NAME}        a descriptor's number in QEMU, filled by the process that starts it; the names
//                    are ram, qmp, serial, kernel, initrd, root and disk
//   {session:NAME}   name, uuid and genid of the session, filled by ForSession
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "define/machine_spec.h"

namespace capsem::service {

// Goes up with every change of what comes out, so that what an older build cached is made anew.
inline constexpr int kArgvRulesVersion = 1;

// `native` is what libvirt made of DomainXml(shape). Internal: no rule knows an option, or an
// option that every machine needs is missing.
StatusOr<std::vector<std::string>> ArgvFromNative(std::string_view native,
                                                  const MachineSpec& shape);

// What KVM does differently, as replacements of whole options: one machine, compiled once.
std::vector<std::string> ForAccelerator(std::vector<std::string> argv, const MachineSpec& spec);

// Fills the session's holes. InvalidArgument: a value that would not stay one value in an option.
StatusOr<std::vector<std::string>> ForSession(std::vector<std::string> argv,
                                              const MachineSpec& spec);

}  // namespace capsem::service
