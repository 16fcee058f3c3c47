// Files of words that were cut short, and files made to need much memory.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/peak_memory.h"
#include "tests/temporary_folder.h"
#include "text/cilin.h"
#include "text/word_vectors.h"

namespace ink {
namespace {

using testing::TemporaryFolder;
using Reader = std::function<void(const std::filesystem::path&)>;

const Reader read_vectors = [](const auto& path) { WordVectors::load(path); };
const Reader read_neighbours = [](const auto& path) { WordNeighbours::load(path); };
const Reader read_synonyms = [](const auto& path) { load_cilin(path); };

template <class F>
std::string many(size_t count, const F& make) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += make(std::to_string(i));
  return text;
}

// Cuts the content at every 7th byte; counts what is refused.
size_t refused_when_cut(const std::string& content, const Reader& read) {
  const TemporaryFolder folder;
  size_t refused = 0;
  for (size_t size = 0; size < content.size(); size += 7) {
    write_file(folder / "file", content.substr(0, size));
    try {
      read(folder / "file");
    } catch (const Error&) {
      ++refused;
    }
  }
  return refused;
}

// But for the last bytes: a line end need not be there, and 0.62 is a number as 0.625 is.
TEST(WordFilesDamage, VectorsAreRefusedAtEveryCut) {
  WordVectors vectors{{}, full({50, 4}, 0.625)};
  for (int i = 0; i < 50; ++i) vectors.words.add("word" + std::to_string(i));
  const TemporaryFolder folder;
  for (const VectorFormat format : {VectorFormat::text, VectorFormat::binary}) {
    vectors.save(folder / "whole", format);
    const std::string whole = read_file(folder / "whole", 1 << 20);
    EXPECT_GE(refused_when_cut(whole, read_vectors), (whole.size() + 6) / 7 - 1);
  }
}

// What ends between two of its lines or words is a whole file.
TEST(WordFilesDamage, TablesAreTakenAtEveryCut) {
  EXPECT_GE(refused_when_cut(many(50, [](auto i) { return "w" + i + "\tv" + i + " 0.5\n"; }),
                             read_neighbours),
            10U);
  EXPECT_GE(refused_when_cut(many(50, [](auto) { return "Aa01A01= 人士 人物\n"; }), read_synonyms),
            10U);
}

void expect_bounded(const std::string& content, const Reader& read) {
  SCOPED_TRACE(content.substr(0, 60));
  const TemporaryFolder folder;
  write_file(folder / "file", content);
  testing::expect_bounded_memory(content.size(), [&] { read(folder / "file"); });
}

constexpr size_t kMany = 500'000;

TEST(WordFilesDamage, MemoryIsBoundedByTheFile) {
  INK_SKIP_MEMORY_TEST();
  expect_bounded("2147483647 65536\na 1 2\n" + std::string(1'000'000, ' '), read_vectors);
  expect_bounded("2147483647 65536\na " + std::string(1'000'000, '\0'), read_vectors);
  expect_bounded("500000 1\n" + many(kMany, [](auto i) { return i + " 1\n"; }), read_vectors);
  expect_bounded(many(kMany, [](auto i) { return i + "\ta 1\n"; }), read_neighbours);
  expect_bounded("a" + many(kMany, [](auto i) { return (i == "0" ? "\t" : " ") + i + " 1"; }),
                 read_neighbours);
  // Of each word, which takes 7 bytes here, ten synonyms are kept.
  const std::string one_group = "Aa01A01=" + many(kMany, [](auto i) { return " " + i; });
  testing::expect_bounded_memory(5 * one_group.size(), [&] { parse_cilin(one_group, "made"); });
}

}  // namespace
}  // namespace ink
