// Precompiled for the CLI: the headers that nearly all of its files include, and that take most of
// the time.
#include <absl/functional/any_invocable.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/status.h"
#include "capsem/v1/execs.pb.h"
#include "capsem/v1/images.pb.h"
#include "capsem/v1/sessions.pb.h"
#include "capsem/v1/system.pb.h"
