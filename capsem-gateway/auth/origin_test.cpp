#include "auth/origin.h"

#include <vector>

#include "base/testing/status_matchers.h"

namespace capsem::gateway {

TEST_CASE("we are called by our address or by localhost, with our port") {
  struct Case {
    std::string_view host;
    bool ours;
  };
  const std::vector<Case> cases = {
      {"127.0.0.1:8080", true},
      {"localhost:8080", true},
      {"127.0.0.1", false},
      {"localhost", false},
      {"localhost:80800", false},
      {"localhost:808", false},
      {"localhost:08080", false},
      {"localhost.evil:8080", false},
      {"127.0.0.1.evil:8080", false},
      {"evil:8080", false},
      {"", false},
      {":8080", false},
      {"localhost:", false},
      {"localhost:8080 ", false},
      {"a@localhost:8080", false},
      {"127.1:8080", false},
      {"0.0.0.0:8080", false},
      {"[::1]:8080", false},
  };
  for (const Case& c : cases) {
    INFO(c.host);
    REQUIRE(IsOurHost(c.host, 8080) == c.ours);
  }
  REQUIRE(IsOurHost("localhost", 80));
}

TEST_CASE("pages of this machine may call us, look-alikes may not") {
  struct Case {
    std::string_view origin;
    bool local;
  };
  const std::vector<Case> cases = {
      {"http://localhost", true},
      {"http://localhost:3000", true},
      {"https://127.0.0.1:65535", true},
      {"http://[::1]:1", true},
      {"tauri://localhost", true},
      {"tauri://localhost:1", false},
      {"tauri://evil", false},
      {"http://localhost.evil.com", false},
      {"http://localhost:3000.evil.com", false},
      {"http://localhost:", false},
      {"http://localhost:0", false},
      {"http://localhost:123456", false},
      {"http://localhost/", false},
      {"http://localhost@evil.com", false},
      {"http://127.0.0.1.evil.com", false},
      {"http://127.0.0.10", false},
      {"http://evil.com", false},
      {"ftp://localhost", false},
      {"HTTP://localhost", false},
      {"null", false},
      {"", false},
  };
  for (const Case& c : cases) {
    INFO(c.origin);
    REQUIRE(IsLocalOrigin(c.origin) == c.local);
  }
}

}  // namespace capsem::gateway
