// A real server on a socket in a scratch folder, for tests: it is down when the object is gone.
#pragma once

#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "base/testing/test_loop.h"
#include "rpc/endpoint.h"

namespace capsem::rpc {

class TestServer {
 public:
  // On `path`, or in a scratch folder.
  TestServer(TestLoop& loop, const std::vector<grpc::Service*>& services, std::string path = {})
      : loop_(loop), path_(path.empty() ? dir_ / "s.sock" : std::move(path)) {
    endpoint_ = VALUE_OF(ServerEndpoint::Listen(loop, path_, services));
  }
  ~TestServer() {
    if (endpoint_) Stop();
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  const std::string& path() const { return path_; }
  void Stop(std::chrono::milliseconds grace = {}) {
    bool down = false;
    endpoint_->Shutdown(grace, [&down] { down = true; });
    ENSURE(loop_.RunUntil([&down] { return down; }));
    endpoint_ = nullptr;
  }

 private:
  TestLoop& loop_;
  TempDir dir_;
  const std::string path_;
  std::unique_ptr<ServerEndpoint> endpoint_;
};

}  // namespace capsem::rpc
