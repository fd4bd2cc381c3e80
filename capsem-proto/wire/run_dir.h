// Which socket, lock, log and session lies where (architecture §11).
// CAPSEM_HOME puts everything into one folder (sockets into its run/); else XDG: state in
// $XDG_STATE_HOME/capsem
// (~/.local/state/capsem), config in $XDG_CONFIG_HOME/capsem, sockets in $XDG_RUNTIME_DIR/capsem
// (or <state>/run when that is not set).
#pragma once

#include <string>

#include "base/status.h"
#include "wire/ids.h"

namespace capsem {

struct RunDir {
  std::string state;    // images/, sessions/, cache/, keys/, registry.db, service.log
  std::string config;   // config.toml
  std::string runtime;  // service.sock, service.lock, gateway.*

  // From the environment; the paths are absolute. FailedPrecondition: neither CAPSEM_HOME nor HOME
  // is set. InvalidArgument: the state folder's path is too long for the sockets below it.
  static StatusOr<RunDir> FromEnvironment();
  // Makes the folders that we write to, at 0700. PermissionDenied names the one that cannot be made
  // (a read-only home) or that others may write to, and CAPSEM_HOME.
  Status Make() const;

  std::string ServiceSocket() const { return runtime + "/service.sock"; }
  std::string ServiceLock() const { return runtime + "/service.lock"; }
  // Of capsem-gateway, each 0600: held for life; what clients must send; where it listens.
  std::string GatewayLock() const { return runtime + "/gateway.lock"; }
  std::string GatewayToken() const { return runtime + "/gateway.token"; }
  std::string GatewayPort() const { return runtime + "/gateway.port"; }
  std::string GatewayLog() const { return state + "/gateway.log"; }
  std::string ServiceLog() const { return state + "/service.log"; }
  std::string Images() const { return state + "/images"; }
  std::string Keys() const { return state + "/keys"; }
  std::string Cache() const { return state + "/cache"; }
  std::string Registry() const { return state + "/registry.db"; }
  std::string Sessions() const { return state + "/sessions"; }
  std::string SessionDir(const SessionId& id) const { return Sessions() + "/" + id.text(); }
};

// Files of one session's folder; process.sock lies there too, so a state folder's path is kept
// below 70 bytes.
namespace session_file {
inline constexpr char kProcessSocket[] = "process.sock";
inline constexpr char kProcessLog[] = "process.log";
inline constexpr char kSerialLog[] = "serial.log";
inline constexpr char kSerialLogOld[] = "serial.log.1";
inline constexpr char kDisk[] = "disk.img";
inline constexpr char kUnfinishedDisk[] = "disk.img.new";  // until all of it is there
inline constexpr char kDomainXml[] = "domain.xml";
inline constexpr char kLinkState[] = "link.state";
inline constexpr char kLastWord[] = "last_word";
inline constexpr char kSpools[] = "spools";  // what commands have written, a file each
inline constexpr char kGuestDir[] =
    "guest";  // shared with the guest; everything else is the host's alone
}  // namespace session_file

}  // namespace capsem
