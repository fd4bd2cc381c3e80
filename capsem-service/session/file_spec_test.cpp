#include "session/file_spec.h"

#include "base/testing/status_matchers.h"

namespace capsem::service {
namespace {

using capsem::process::v1::FileRequest;

}  // namespace

TEST_CASE("each path of a request is looked at, whatever the verb") {
  using Setter = void (*)(FileRequest&, const std::string&);
  const auto set = GENERATE(
      Setter([](FileRequest& r, const std::string& p) { r.mutable_read()->set_path(p); }),
      Setter([](FileRequest& r, const std::string& p) { r.mutable_write()->set_path(p); }),
      Setter([](FileRequest& r, const std::string& p) { r.mutable_stat()->set_path(p); }),
      Setter([](FileRequest& r, const std::string& p) { r.mutable_list()->set_path(p); }),
      Setter([](FileRequest& r, const std::string& p) { r.mutable_mkdir()->set_path(p); }),
      Setter([](FileRequest& r, const std::string& p) { r.mutable_remove()->set_path(p); }),
      Setter([](FileRequest& r, const std::string& p) {
        r.mutable_rename()->set_path(p);
        r.mutable_rename()->set_new_path("/ok");
      }),
      Setter([](FileRequest& r, const std::string& p) {
        r.mutable_rename()->set_path("/ok");
        r.mutable_rename()->set_new_path(p);
      }),
      Setter([](FileRequest& r, const std::string& p) {
        r.mutable_symlink()->set_path(p);
        r.mutable_symlink()->set_target("x");
      }));
  FileRequest good, bad;
  set(good, "/workspace/x");
  set(bad, "/workspace/../x");
  REQUIRE_OK(CheckFileRequest(good));
  REQUIRE_CODE(CheckFileRequest(bad), kInvalidArgument);
}

TEST_CASE("modes are permissions, and links say something") {
  FileRequest request;
  request.mutable_write()->set_path("/x");
  request.mutable_write()->set_mode(0777);
  REQUIRE_OK(CheckFileRequest(request));
  request.mutable_write()->set_mode(04755);
  REQUIRE_CODE(CheckFileRequest(request), kInvalidArgument);
  request.mutable_mkdir()->set_path("/x");
  request.mutable_mkdir()->set_mode(01777);
  REQUIRE_CODE(CheckFileRequest(request), kInvalidArgument);
  request.mutable_symlink()->set_path("/x");
  for (const std::string& target : {std::string(), std::string(4096, 'x'), std::string(1, '\0')}) {
    request.mutable_symlink()->set_target(target);
    REQUIRE_CODE(CheckFileRequest(request), kInvalidArgument);
  }
  request.mutable_symlink()->set_target("../anywhere");
  REQUIRE_OK(CheckFileRequest(request));
  REQUIRE_CODE(CheckFileRequest({}), kInvalidArgument);
}

}  // namespace capsem::service
