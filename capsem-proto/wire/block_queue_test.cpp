#include "wire/block_queue.h"

#include <algorithm>

#include "base/testing/status_matchers.h"

namespace capsem::wire {
namespace {

TEST_CASE("a block queue hands out what was appended, in order, whatever the pieces") {
  constexpr size_t kSizes[] = {1, 7, 1000, 65535, 70'000, 200'000};
  BlockPool pool;
  BlockQueue queue(pool);
  std::string wanted;
  char next = 'a';
  for (size_t round = 0; round < 60; ++round) {
    const std::string bytes(kSizes[round % std::size(kSizes)], next++);
    queue.Append(bytes);
    wanted += bytes;
    const size_t dropped = std::min(wanted.size(), kSizes[round * 5 % std::size(kSizes)]);
    queue.Drop(dropped);
    wanted.erase(0, dropped);
    REQUIRE(queue.size() == wanted.size());
    REQUIRE(queue.All() == wanted);
    const size_t middle = wanted.size() / 2;
    const std::string_view piece = queue.From(middle);
    REQUIRE(piece == std::string_view(wanted).substr(middle, piece.size()));
  }
}

TEST_CASE("what is read of a block queue in one piece is the rest of a block") {
  BlockPool pool;
  BlockQueue queue(pool);
  REQUIRE(queue.From(0).empty());
  queue.Append(std::string(BlockQueue::kBlock + 10, 'x'));
  REQUIRE(queue.From(0).size() == BlockQueue::kBlock);
  REQUIRE(queue.From(BlockQueue::kBlock - 1).size() == 1);
  REQUIRE(queue.From(BlockQueue::kBlock).size() == 10);
  REQUIRE(queue.From(BlockQueue::kBlock + 10).empty());
}

TEST_CASE("no byte of a block queue moves when those before it go") {
  BlockPool pool;
  BlockQueue queue(pool);
  queue.Append(std::string(3 * BlockQueue::kBlock, 'x'));
  const char* last = queue.From(2 * BlockQueue::kBlock).data();
  queue.Drop(BlockQueue::kBlock + 5);
  REQUIRE(queue.From(BlockQueue::kBlock - 5).data() == last);
}

TEST_CASE("bytes that are made in place lie behind those that were appended") {
  BlockPool pool;
  BlockQueue queue(pool);
  queue.Append(std::string(BlockQueue::kBlock - 3, 'x'));
  const std::span<char> end = queue.Room(100);
  REQUIRE(end.size() == 3);
  std::ranges::copy("yy", end.begin());
  queue.Extend(2);
  REQUIRE(queue.size() == BlockQueue::kBlock - 1);
  REQUIRE(queue.Room(100).size() == 1);
  REQUIRE(queue.size() == BlockQueue::kBlock - 1);
  queue.Append("zw");
  REQUIRE(queue.All().substr(BlockQueue::kBlock - 3) == "yyzw");
}

TEST_CASE("a block that was full serves the next queue, and no more than some are kept") {
  BlockPool pool;
  BlockQueue queue(pool);
  queue.Append(std::string((BlockPool::kKept + 1) * BlockQueue::kBlock, 'x'));
  std::vector<const char*> places;
  for (size_t i = 0; i <= BlockPool::kKept; ++i) {
    places.push_back(queue.From(i * BlockQueue::kBlock).data());
  }
  queue.Drop(queue.size());
  BlockQueue other(pool);
  for (size_t i = 0; i < BlockPool::kKept; ++i) {
    other.Append(std::string(BlockQueue::kBlock, 'y'));
    REQUIRE(std::ranges::count(places, other.From(i * BlockQueue::kBlock).data()) == 1);
  }
}

}  // namespace
}  // namespace capsem::wire
