// safetensors: what is written reads back bit for bit, and no file, however broken, does more
// than raise Error.
#include "tensor/safetensors.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tensor/op.h"
#include "tests/expect_error.h"
#include "tests/hostile/safetensors.h"
#include "tests/peak_memory.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

using testing::expect_bounded_memory;
using testing::TemporaryFolder;

// Reads every number, so that a wrong range would show under the sanitizers.
void open_and_read(const std::filesystem::path& path) {
  const SafeTensors file(path);
  for (const auto& entry : file.entries()) clone(file.tensor(entry));
}

std::vector<NamedTensor> some_tensors() {
  return {{"b", randn({3, 5}, 1, Dtype::f32)},
          {"a.weight", randn({7}, 2, Dtype::f64)},
          {"half", converted(randn({2, 2}, 3), Dtype::f16)},
          {"brain", converted(randn({3}, 4), Dtype::bf16)},
          {"ids", randint({4, 1}, 5, -9, 9)},
          {"long", converted(randint({2}, 6, 0, 9), Dtype::i64)},
          {"bytes", converted(randint({3}, 7, 0, 100), Dtype::u8)},
          {"small", converted(randint({1}, 8, -100, 100), Dtype::i8)},
          {"scalar", full({}, 2.5)},
          {"empty", zeros({0, 3})}};
}

TEST(SafeTensors, ReadsBackWhatItWrote) {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = some_tensors();
  write_safetensors(folder / "x", tensors, {{"format", "pt"}, {"note", "墨"}});
  const SafeTensors file(folder / "x");
  ASSERT_EQ(file.entries().size(), tensors.size());
  for (const NamedTensor& t : tensors) {
    const Tensor read = file.tensor(t.name);
    EXPECT_TRUE(equal_bits(read, t.value)) << t.name;
    EXPECT_TRUE(read.storage()->borrowed()) << t.name << " should lie in the mapping";
  }
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}, {"note", "墨"}}));
  EXPECT_EQ(file.find("none"), nullptr);
  EXPECT_ERROR(file.tensor("none"), "there is no tensor named none");
}

TEST(SafeTensors, TensorsOutliveTheReader) {
  const TemporaryFolder folder;
  const Tensor x = randn({40, 50}, 1, Dtype::f32);
  write_safetensors(folder / "x", std::vector<NamedTensor>{{"x", x}});
  const Tensor read = SafeTensors(folder / "x").tensor("x");
  write_safetensors(folder / "x", std::vector<NamedTensor>{{"x", zeros({1})}});
  EXPECT_TRUE(equal_bits(read, x)) << "also when the file is replaced";
}

TEST(SafeTensors, WritesViewsAsTheirValues) {
  const TemporaryFolder folder;
  const Tensor x = randn({4, 6}, 1, Dtype::f32);
  const Tensor transposed = view(x, {6, 4}, {1, 6}, 0), inner = view(x, {2, 3}, {6, 2}, 7);
  write_safetensors(folder / "x", std::vector<NamedTensor>{{"t", transposed}, {"i", inner}});
  const SafeTensors file(folder / "x");
  EXPECT_TRUE(equal_bits(file.tensor("t"), transposed));
  EXPECT_TRUE(equal_bits(file.tensor("i"), inner));
}

// Other writers do not pad the header: numbers may lie at any address.
TEST(SafeTensors, ReadsUnalignedNumbers) {
  const TemporaryFolder folder;
  for (size_t pad = 0; pad < 8; ++pad) {
    const std::string header =
        R"({"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}})" + std::string(pad, ' ');
    const std::array<double, 2> numbers{1.5, -2.25};
    std::string bytes = hostile::safetensors(header, 16);
    std::memcpy(bytes.data() + bytes.size() - 16, numbers.data(), 16);
    write_file(folder / "x", bytes);
    EXPECT_EQ(to_vector<double>(SafeTensors(folder / "x").tensor("a")),
              (std::vector<double>{1.5, -2.25}));
  }
}

TEST(SafeTensors, RefusesToWriteWhatItCouldNotRead) {
  const TemporaryFolder folder;
  const auto write = [&](const std::vector<NamedTensor>& tensors) {
    write_safetensors(folder / "x", tensors);
  };
  EXPECT_ERROR(write({{"a", zeros({1})}, {"a", zeros({1})}}), "a appears twice");
  EXPECT_ERROR(write({{"__metadata__", zeros({1})}}), "cannot name a tensor");
  EXPECT_ERROR(write({{std::string("a\0b", 3), zeros({1})}}), "NUL");
  EXPECT_ERROR(write({{"a", Tensor()}}), "has no value");
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

TEST(SafeTensors, GivesEveryHostileFileItsVerdict) {
  const TemporaryFolder folder;
  for (const hostile::File& file : hostile::safetensors_files()) {
    SCOPED_TRACE(file.name);
    std::ofstream(folder / "x", std::ios::binary) << file.bytes;
    if (file.complaint.empty()) {
      EXPECT_NO_THROW(open_and_read(folder / "x"));
    } else {
      EXPECT_ERROR(open_and_read(folder / "x"), file.complaint);
    }
  }
  EXPECT_ERROR(SafeTensors(folder / "none"), "No such file");
}

TEST(SafeTensors, RefusesEveryTruncation) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x",
                    std::vector<NamedTensor>{{"a", zeros({2})}, {"b", zeros({1}, Dtype::u8)}});
  const std::string whole = read_file(folder / "x", 1 << 20);
  for (size_t n = 0; n < whole.size(); ++n) {
    std::ofstream(folder / "y", std::ios::binary) << whole.substr(0, n);
    EXPECT_THROW(open_and_read(folder / "y"), Error) << n;
  }
}

TEST(SafeTensors, SurvivesEveryBitFlipOfTheHeader) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x",
                    std::vector<NamedTensor>{{"a", zeros({2})}, {"b", zeros({1}, Dtype::u8)}});
  const std::string whole = read_file(folder / "x", 1 << 20);
  uint64_t header = 0;
  std::memcpy(&header, whole.data(), 8);
  int refused = 0;
  std::fstream file(folder / "x", std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](size_t at, char byte) {
    file.seekp(static_cast<std::streamoff>(at)).put(byte).flush();
  };
  for (size_t bit = 0; bit < 8 * (8 + header); ++bit) {
    put(bit / 8, static_cast<char>(whole[bit / 8] ^ (1 << (bit % 8))));
    try {
      open_and_read(folder / "x");
    } catch (const Error&) {
      ++refused;
    }
    put(bit / 8, whole[bit / 8]);
  }
  EXPECT_GT(refused, 400) << "most flips of a header make it wrong";
}

TEST(SafeTensors, SurvivesRandomHeaders) {
  const TemporaryFolder folder;
  const std::vector<std::string> pieces{"{",
                                        "}",
                                        "[",
                                        "]",
                                        ":",
                                        ",",
                                        "\"a\"",
                                        "\"b\"",
                                        "0",
                                        "4",
                                        "-1",
                                        "1.5",
                                        "true",
                                        "{}",
                                        "\"F32\"",
                                        "\"dtype\"",
                                        "[0,4]",
                                        "\"shape\"",
                                        "[]",
                                        "[1]",
                                        "\"data_offsets\"",
                                        "\"__metadata__\""};
  Draws draws{Random(11)};
  for (int round = 0; round < 200; ++round) {
    std::string header = "{\"a\":";
    for (uint64_t n = draws.below(20); n-- > 0;) header += pieces[draws.below(pieces.size())];
    std::ofstream(folder / "x", std::ios::binary) << hostile::safetensors(header, draws.below(9));
    try {
      open_and_read(folder / "x");
    } catch (const Error&) {
    }
  }
}

TEST(SafeTensors, BoundsItsMemory) {
  INK_SKIP_MEMORY_TEST();
  const TemporaryFolder folder;
  std::string many = "{";
  for (int i = 0; i < 400'000; ++i)
    many += (i ? ",\"" : "\"") + std::to_string(i) +
            R"(":{"dtype":"I8","shape":[0],"data_offsets":[0,0]})";
  const std::string nested = R"({"a":{"x":[)" + hostile::repeated("[],", 4'000'000) + "1]}}";
  const std::string long_name = "{\"" + std::string(20'000'000, 'n') + R"(":{"x":[)" +
                                hostile::repeated("[],", 60'000) + "1]}}";
  for (const std::string& header : {many + "}", nested, long_name}) {
    write_file(folder / "x", hostile::safetensors(header, 1));  // one byte that no tensor claims
    SCOPED_TRACE(header.substr(0, 40));
    expect_bounded_memory(header.size() + 8,
                          [&] { EXPECT_THROW(open_and_read(folder / "x"), Error); });
  }
}

}  // namespace
}  // namespace ink
