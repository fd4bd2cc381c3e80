#include "message_json.h"

#include <catch2/catch.hpp>

#include "capsem/v1/images.pb.h"
#include "capsem/v1/sessions.pb.h"

namespace capsem::cli {

TEST_CASE("a session is told with every field and plain words") {
  v1::Session session;
  session.set_id("abcdefghijkl");
  session.set_state(v1::SESSION_STATE_RUNNING);
  session.set_isolation(v1::ISOLATION_EMULATED);
  session.set_cpus(2);
  session.set_created_unix_ms(1700000000123);
  session.set_persistent(true);
  const auto json = ToJson(session);
  CHECK(json["id"] == "abcdefghijkl");
  CHECK(json["state"] == "running");
  CHECK(json["isolation"] == "emulated");
  CHECK(json["cpus"] == 2);
  CHECK(json["created_unix_ms"] == 1700000000123);
  CHECK(json["persistent"] == true);
  CHECK(json["reason"] == "");
  CHECK(json["process_pid"] == 0);
  CHECK(json.begin().key() == "id");
}

TEST_CASE("lists are lists, also when they are empty") {
  v1::Image image;
  CHECK(ToJson(image)["files"] == nlohmann::ordered_json::array());
  image.add_files()->set_name("vmlinuz");
  image.add_files()->set_size(uint64_t{1} << 40);
  CHECK(ToJson(image)["files"][0]["name"] == "vmlinuz");
  CHECK(ToJson(image)["files"][1]["size"] == uint64_t{1} << 40);
}

TEST_CASE("an enumerator of a newer service is its number") {
  v1::Session session;
  session.set_state(static_cast<v1::SessionState>(99));
  CHECK(ToJson(session)["state"] == "99");
  CHECK(EnumText(*v1::SessionEvent::Kind_descriptor(), v1::SessionEvent::KIND_SYNCED) == "synced");
}

}  // namespace capsem::cli
