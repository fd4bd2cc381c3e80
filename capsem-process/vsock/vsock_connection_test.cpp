#include "vsock/vsock_connection.h"

#include <catch2/catch.hpp>

namespace capsem::process {
namespace {

using State = VsockConnection::State;

constexpr uint32_t kGuestBuffer = 1000;

VsockHeader Packet(VsockOp op, uint32_t length = 0, uint32_t flags = 0, uint32_t forwarded = 0) {
  return {.source_cid = 3,
          .destination_cid = kHostCid,
          .source_port = 77,
          .destination_port = 5000,
          .length = length,
          .op = op,
          .flags = flags,
          .buffer_size = kGuestBuffer,
          .forwarded = forwarded};
}

// A connection whose RESPONSE is sent.
VsockConnection Open() {
  VsockConnection connection(Packet(VsockOp::kRequest));
  REQUIRE(connection.TakeOwed()->op == VsockOp::kResponse);
  return connection;
}

TEST_CASE("a request is answered to where it came from, with our credit") {
  VsockConnection connection(Packet(VsockOp::kRequest));
  REQUIRE(connection.owes());
  const auto response = connection.TakeOwed();
  REQUIRE(response);
  REQUIRE(*response == VsockHeader{.source_cid = kHostCid,
                                   .destination_cid = 3,
                                   .source_port = 5000,
                                   .destination_port = 77,
                                   .op = VsockOp::kResponse,
                                   .buffer_size = VsockConnection::kBufferSize});
  REQUIRE(!connection.owes());
  REQUIRE(!connection.TakeOwed());
  REQUIRE(connection.state() == State::kOpen);
}

TEST_CASE("a connection ends when both sides have finished, whoever is first") {
  SECTION("the guest is first") {
    auto connection = Open();
    connection.OnPacket(Packet(VsockOp::kShutdown, 0, kShutdownSend));
    REQUIRE(connection.state() == State::kGuestFinished);
    REQUIRE(connection.guest_finished());
    REQUIRE(connection.window() == kGuestBuffer);
    connection.OnHostFinished();
  }
  SECTION("the host is first") {
    auto connection = Open();
    connection.OnHostFinished();
    REQUIRE(connection.state() == State::kHostFinished);
    REQUIRE(connection.window() == 0);
    const auto shutdown = connection.TakeOwed();
    REQUIRE(shutdown->op == VsockOp::kShutdown);
    REQUIRE(shutdown->flags == kShutdownSend);
    REQUIRE(!connection.owes());
    REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 10)) == 10);
    connection.OnForwarded(10);
    connection.OnPacket(Packet(VsockOp::kShutdown, 0, kShutdownSend));
    REQUIRE(connection.state() == State::kEnding);
    REQUIRE(connection.TakeOwed()->op == VsockOp::kReset);
    REQUIRE(connection.state() == State::kClosed);
  }
  SECTION("the guest closes, which is both of its halves") {
    auto connection = Open();
    connection.OnPacket(Packet(VsockOp::kShutdown, 0, kShutdownSend | kShutdownReceive));
    REQUIRE(connection.guest_deaf());
    REQUIRE(connection.state() == State::kEnding);
    REQUIRE(connection.TakeOwed()->op == VsockOp::kReset);
    REQUIRE(connection.state() == State::kClosed);
    REQUIRE(!connection.owes());
  }
  SECTION("the guest stops to listen, then to speak") {
    auto connection = Open();
    connection.OnPacket(Packet(VsockOp::kShutdown, 0, kShutdownReceive));
    REQUIRE(connection.state() == State::kHostFinished);
    REQUIRE(!connection.owes());  // it need not be told that nothing will come
    connection.OnPacket(Packet(VsockOp::kShutdown, 0, kShutdownSend));
    REQUIRE(connection.state() == State::kEnding);
  }
}

TEST_CASE("the end waits until the host has all of the guest's bytes") {
  auto connection = Open();
  REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 100)) == 100);
  connection.OnForwarded(40);
  connection.OnPacket(Packet(VsockOp::kShutdown, 0, kShutdownSend | kShutdownReceive));
  REQUIRE(connection.state() == State::kDraining);
  REQUIRE(!connection.owes());
  connection.OnForwarded(60);
  REQUIRE(connection.state() == State::kEnding);
}

TEST_CASE("the guest hears that the host has finished before it hears the end") {
  auto connection = Open();
  connection.OnPacket(Packet(VsockOp::kShutdown, 0, kShutdownSend));
  connection.OnHostFinished();
  REQUIRE(connection.TakeOwed()->op == VsockOp::kShutdown);
  REQUIRE(connection.TakeOwed()->op == VsockOp::kReset);
}

TEST_CASE("what breaks the rules resets the connection") {
  const struct {
    const char* what;
    VsockHeader packet;
  } cases[] = {
      {"a second request", Packet(VsockOp::kRequest)},
      {"a response to nothing", Packet(VsockOp::kResponse)},
      {"no operation", Packet(VsockOp::kInvalid)},
      {"an operation of no standard", Packet(static_cast<VsockOp>(99))},
      {"more data than our credit", Packet(VsockOp::kData, VsockConnection::kBufferSize + 1)},
      {"credit for bytes that were never sent", Packet(VsockOp::kCreditUpdate, 0, 0, 1)},
  };
  for (const auto& c : cases) {
    INFO(c.what);
    auto connection = Open();
    REQUIRE(connection.OnPacket(c.packet) == 0);
    REQUIRE(connection.state() == State::kEnding);
    REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 1)) == 0);
    connection.OnHostFinished();
    REQUIRE(connection.TakeOwed()->op == VsockOp::kReset);
    REQUIRE(connection.state() == State::kClosed);
  }
}

TEST_CASE("data after the guest's own end resets the connection") {
  auto connection = Open();
  connection.OnPacket(Packet(VsockOp::kShutdown, 0, kShutdownSend));
  REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 1)) == 0);
  REQUIRE(connection.state() == State::kEnding);
}

TEST_CASE("a request with credit for bytes that were never sent is reset, not answered") {
  VsockConnection connection(Packet(VsockOp::kRequest, 0, 0, 5));
  REQUIRE(connection.TakeOwed()->op == VsockOp::kReset);
}

TEST_CASE("the guest's RST ends it at once, with nothing owed") {
  for (const bool aborted : {false, true}) {
    auto connection = Open();
    if (aborted) connection.Abort();
    connection.OnPacket(Packet(VsockOp::kReset));
    REQUIRE(connection.state() == State::kClosed);
    REQUIRE(!connection.owes());
    connection.OnForwarded(5);
    connection.OnHostFinished();
    connection.Abort();
    REQUIRE(connection.state() == State::kClosed);
    REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 1)) == 0);
  }
}

TEST_CASE("the guest may send as much as we buffer, and more when it was forwarded") {
  auto connection = Open();
  constexpr uint32_t kAll = VsockConnection::kBufferSize;
  REQUIRE(connection.OnPacket(Packet(VsockOp::kData, kAll)) == kAll);
  connection.OnForwarded(100);
  REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 100)) == 100);
  REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 1)) == 0);
  REQUIRE(connection.state() == State::kEnding);
}

TEST_CASE("a credit update comes after half of the smaller buffer, or the guest stops for good") {
  auto connection = Open();  // the guest's buffer, 1000, is smaller than ours
  REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 1000)) == 1000);
  connection.OnForwarded(499);
  REQUIRE(!connection.owes());
  connection.OnForwarded(1);
  REQUIRE(connection.owes());
  const auto update = connection.TakeOwed();
  REQUIRE(update->op == VsockOp::kCreditUpdate);
  REQUIRE(update->forwarded == 500);
  REQUIRE(update->buffer_size == VsockConnection::kBufferSize);
  REQUIRE(!connection.owes());
}

TEST_CASE("every header tells the credit, so an update is counted from the last one") {
  auto connection = Open();
  REQUIRE(connection.OnPacket(Packet(VsockOp::kData, 1000)) == 1000);
  connection.OnForwarded(600);
  REQUIRE(connection.owes());
  REQUIRE(connection.DataHeader(10).forwarded == 600);
  REQUIRE(!connection.owes());
  connection.OnForwarded(400);
  REQUIRE(!connection.owes());
}

TEST_CASE("a guest that asks for the credit is told") {
  auto connection = Open();
  connection.OnPacket(Packet(VsockOp::kCreditRequest));
  REQUIRE(connection.TakeOwed()->op == VsockOp::kCreditUpdate);
}

TEST_CASE("we send within the guest's credit") {
  auto connection = Open();
  REQUIRE(connection.window() == kGuestBuffer);
  const VsockHeader header = connection.DataHeader(600);
  REQUIRE(header.op == VsockOp::kData);
  REQUIRE(header.length == 600);
  REQUIRE(connection.window() == 400);
  connection.OnPacket(Packet(VsockOp::kCreditUpdate, 0, 0, 500));
  REQUIRE(connection.window() == 900);
  // A guest may shrink its buffer below what is on its way: then nothing goes.
  auto smaller = Packet(VsockOp::kCreditUpdate, 0, 0, 500);
  smaller.buffer_size = 50;
  connection.OnPacket(smaller);
  REQUIRE(connection.window() == 0);
  REQUIRE(connection.state() == State::kOpen);
}

TEST_CASE("a guest with no buffer is told of every byte that was forwarded") {
  auto request = Packet(VsockOp::kRequest);
  request.buffer_size = 0;
  VsockConnection connection(request);
  REQUIRE(connection.TakeOwed()->op == VsockOp::kResponse);
  REQUIRE(connection.window() == 0);
  auto data = Packet(VsockOp::kData, 1);
  data.buffer_size = 0;
  REQUIRE(connection.OnPacket(data) == 1);
  REQUIRE(!connection.owes());
  connection.OnForwarded(1);
  REQUIRE(connection.TakeOwed()->op == VsockOp::kCreditUpdate);
}

TEST_CASE("the counts of bytes run over 2^32 and on") {
  auto connection = Open();
  uint32_t total = 0;
  auto credit = Packet(VsockOp::kCreditUpdate);
  credit.buffer_size = 0x40000000;
  for (int round = 0; round < 12; ++round) {  // 12 GiB each way
    INFO(round);
    credit.forwarded = total;
    connection.OnPacket(credit);
    REQUIRE(connection.window() == 0x40000000);
    connection.DataHeader(0x40000000);
    total += 0x40000000;
  }
  REQUIRE(connection.state() == State::kOpen);
  for (int round = 0; round < 20000; ++round) {
    auto data = Packet(VsockOp::kData, VsockConnection::kBufferSize, 0, total);
    REQUIRE(connection.OnPacket(data) == VsockConnection::kBufferSize);
    connection.OnForwarded(VsockConnection::kBufferSize);
  }
  REQUIRE(connection.state() == State::kOpen);
}

}  // namespace
}  // namespace capsem::process
