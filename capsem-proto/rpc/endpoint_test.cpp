#include "rpc/endpoint.h"

#include <grpcpp/generic/generic_stub.h>
#include <sys/stat.h>

#include <optional>
#include <thread>

#include "base/unix_socket.h"
#include "capsem/v1/system.grpc.pb.h"
#include "rpc/testing/test_server.h"

namespace capsem::rpc {
namespace {

// A unary call by its name, empty request, on a thread of the test's: what a foreign client sees.
grpc::Status CallByName(const std::string& path, const std::string& method) {
  grpc::GenericStub stub(ConnectChannel(path));
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const grpc::Slice empty;
  const grpc::ByteBuffer request(&empty, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  return status;
}

grpc::Status CallWhileLooping(TestLoop& loop, const std::string& path, const std::string& method) {
  std::optional<grpc::Status> status;
  std::thread caller([&] {
    const grpc::Status got = CallByName(path, method);
    loop.Post([&status, got] { status = got; });
  });
  REQUIRE(loop.RunUntil([&] { return status.has_value(); }));
  caller.join();
  return *status;
}

}  // namespace

TEST_CASE("only the same user and root may connect") {
  REQUIRE_OK(CheckPeer(1000, 1000));
  REQUIRE_OK(CheckPeer(0, 1000));
  REQUIRE_CODE(CheckPeer(1001, 1000), kPermissionDenied);
  REQUIRE_CODE(CheckPeer(1000, 0), kPermissionDenied);
}

TEST_CASE("the socket is for its owner alone, and gone after the shutdown") {
  TestLoop loop;
  v1::System::CallbackService service;
  TestServer server(loop, {&service});
  struct stat info {};
  REQUIRE(stat(server.path().c_str(), &info) == 0);
  REQUIRE((info.st_mode & 0777) == 0600);
  const std::string path = server.path();
  server.Stop();
  REQUIRE(stat(path.c_str(), &info) != 0);
}

TEST_CASE("a stale socket is replaced, and a folder that is not there is an error") {
  TestLoop loop;
  TempDir dir;
  v1::System::CallbackService service;
  VALUE_OF(ListenUnix(dir / "s.sock")).Reset();
  TestServer server(loop, {&service}, dir / "s.sock");
  REQUIRE_OK(ConnectUnix(dir / "s.sock"));
  REQUIRE_CODE(ServerEndpoint::Listen(loop, dir / "none/s.sock", {&service}), kNotFound);
}

TEST_CASE("health is served") {
  TestLoop loop;
  v1::System::CallbackService service;
  TestServer server(loop, {&service});
  const grpc::Status status = CallWhileLooping(loop, server.path(), "/grpc.health.v1.Health/Check");
  INFO(status.error_message());
  REQUIRE(status.ok());
}

TEST_CASE("a method that does not exist is UNIMPLEMENTED") {
  TestLoop loop;
  v1::System::CallbackService service;
  TestServer server(loop, {&service});
  const grpc::Status status = CallWhileLooping(loop, server.path(), "/capsem.v1.System/Nothing");
  REQUIRE(status.error_code() == grpc::StatusCode::UNIMPLEMENTED);
}

TEST_CASE("a shutdown does not wait for a client that holds an idle connection") {
  TestLoop loop;
  v1::System::CallbackService service;
  TestServer server(loop, {&service});
  // Connected, and silent: it will not answer HTTP/2's good-bye.
  const UniqueFd idle = VALUE_OF(ConnectUnix(server.path()));
  loop.RunReady();
  server.Stop();
}

}  // namespace capsem::rpc
