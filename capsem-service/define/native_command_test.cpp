#include "define/native_command.h"

#include "base/testing/status_matchers.h"

namespace capsem::service {
namespace {

TEST_CASE("a command is split as a shell would") {
  const NativeCommand command = VALUE_OF(ParseNativeCommand(
      "LC_ALL=C PATH=/usr/bin:/bin HOME='/a b' /usr/bin/qemu -S -append 'a b' \\\n"
      "-object '{\"id\":\"it'\\''s\"}' -empty '' -q \"x \\\" y\"\n"));
  REQUIRE(command.emulator == "/usr/bin/qemu");
  REQUIRE(command.options.size() == 5);
  REQUIRE(command.options[0].name == "-S");
  REQUIRE_FALSE(command.options[0].value.has_value());
  REQUIRE(command.options[1].value == "a b");
  REQUIRE(command.options[2].value == "{\"id\":\"it's\"}");
  REQUIRE(command.options[3].value == "");
  REQUIRE(command.options[4].value == "x \" y");
}

TEST_CASE("what a shell would act upon, or nobody understands, is refused") {
  const std::string text = GENERATE(
      "", "A=1 B=2", "qemu 'open", "qemu -a \"open", "qemu -a b\\", "qemu stray", "qemu -a b stray",
      "qemu -a $(id)", "qemu -a b; id", "qemu -a `id`", "qemu -a b | c", "qemu -a b > c");
  INFO(text);
  REQUIRE_CODE(ParseNativeCommand(text), kInternal);
}

TEST_CASE("an emulator's path may hold an equals sign") {
  REQUIRE(VALUE_OF(ParseNativeCommand("A=/b /opt/a=b/qemu -S")).emulator == "/opt/a=b/qemu");
}

TEST_CASE("key=value text is read and written alike") {
  const std::string text = "socket,id=a,path=/x,,y,server=on,empty=";
  KeyValues values = KeyValues::Parse(text);
  REQUIRE(values.Find("") == "socket");
  REQUIRE(values.Find("path") == "/x,y");
  REQUIRE(values.Find("empty") == "");
  REQUIRE_FALSE(values.Find("absent").has_value());
  REQUIRE(values.Text() == text);
  values.Set("id", "b,c");
  values.Set("new", "1");
  REQUIRE(values.Text() == "socket,id=b,,c,path=/x,,y,server=on,empty=,new=1");
}

}  // namespace
}  // namespace capsem::service
