// Random: streams by number and by name, each a function of the path of splits alone.
#include "tensor/philox.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ink {
namespace {

// The values that FNV's authors publish for 64 bits.
static_assert(stream_number("") == 0xcbf29ce484222325u);
static_assert(stream_number("a") == 0xaf63dc4c8601ec8cu);
static_assert(stream_number("foobar") == 0x85944171f73967e8u);

TEST(Random, AStreamByNameIsThatOfItsNumber) {
  EXPECT_EQ(Random(7).split("dropout"), Random(7).split(stream_number("dropout")));
  EXPECT_EQ(Random(7).split("dropout"), Random(7).split(std::string("dropout")));
  EXPECT_NE(Random(7).split("dropout"), Random(8).split("dropout"));
}

TEST(Random, StreamsOfNamesNumbersAndPathsDiffer) {
  const Random random(7);
  std::set<uint64_t> seeds{random.seed()};
  size_t streams = 1;
  const auto add = [&](const Random& stream) {
    seeds.insert(stream.seed());
    ++streams;
  };
  for (uint64_t i = 0; i < 1000; ++i) {
    add(random.split(i));
    add(random.split(std::to_string(i)));
    add(random.split("layers").split(i));
    add(random.split(i).split("layers"));
  }
  EXPECT_EQ(seeds.size(), streams);
}

}  // namespace
}  // namespace ink
