// Files of torch.save: what PyTorch wrote reads back bit for bit, and no file, however broken, does
// more than raise Error.
#include "tensor/torch_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tensor/crc32.h"
#include "tensor/op.h"
#include "tensor/safetensors.h"
#include "tests/expect_error.h"
#include "tests/hostile/torch_files.h"
#include "tests/peak_memory.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

const std::string kGolden = std::string(INK_SOURCE_DIR) + "/tests/golden/torch/";

// Bytes of exactly their size on the heap, so that a sanitizer sees reads beyond them.
TorchFile opened(const std::string& bytes) {
  const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
  const auto copy = std::make_shared<std::vector<std::byte>>(first, first + bytes.size());
  return {*copy, copy, "x"};
}
void open_and_read(const std::string& bytes) {
  const TorchFile file = opened(bytes);
  for (const auto& entry : file.entries()) clone(file.tensor(entry));
}
std::string golden(const std::string& name) { return read_file(kGolden + name, 1 << 20); }

TEST(Crc32, IsThatOfZip) {
  const std::string digits = "123456789";
  const auto bytes = std::as_bytes(std::span(digits));
  EXPECT_EQ(crc32(bytes), 0xCBF43926u);
  EXPECT_EQ(crc32({}), 0u);
  for (size_t n = 0; n <= digits.size(); ++n)
    EXPECT_EQ(crc32(bytes.subspan(n), crc32(bytes.first(n))), 0xCBF43926u) << n;
}

TEST(TorchFile, ReadsWhatPyTorchWrote) {
  const SafeTensors expected(kGolden + "state.safetensors");
  for (const char* name : {"zip.bin", "legacy.bin"}) {
    SCOPED_TRACE(name);
    const TorchFile file(std::filesystem::path(kGolden + name));
    ASSERT_EQ(file.entries().size(), expected.entries().size());
    for (const auto& entry : expected.entries()) {
      const Tensor value = file.tensor(entry.name);
      EXPECT_TRUE(equal_bits(value, expected.tensor(entry))) << entry.name;
      EXPECT_TRUE(value.is_contiguous()) << entry.name;
      EXPECT_EQ(file.find(entry.name)->shape, entry.shape) << entry.name;
      EXPECT_EQ(file.find(entry.name)->dtype, entry.dtype) << entry.name;
    }
    EXPECT_EQ(file.find("none"), nullptr);
    EXPECT_ERROR(file.tensor("none"), "there is no tensor named none");
  }
}

TEST(TorchFile, FindsNestedAndSharedTensors) {
  const SafeTensors expected(kGolden + "others.safetensors");
  size_t compared = 0;
  for (const std::string name : {"nested", "shared"}) {
    const TorchFile file(std::filesystem::path(kGolden + name + ".bin"));
    for (const auto& entry : file.entries()) {
      EXPECT_TRUE(equal_bits(file.tensor(entry), expected.tensor(name + '.' + entry.name)))
          << name << ' ' << entry.name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, expected.entries().size());
}

TEST(TorchFile, MapsWhatLiesRowByRow) {
  const TorchFile file(std::filesystem::path(kGolden + "zip.bin"));
  EXPECT_TRUE(file.tensor("type.float32").storage()->borrowed());
  EXPECT_TRUE(file.tensor("view.offset").storage()->borrowed());
  EXPECT_FALSE(file.tensor("view.transposed").storage()->borrowed());
}

TEST(TorchFile, GivesEveryHostileFileItsVerdict) {
  for (const hostile::TorchFileCase& file : hostile::torch_files()) {
    SCOPED_TRACE(file.name);
    if (file.complaint.empty()) {
      EXPECT_NO_THROW(open_and_read(file.bytes));
    } else {
      EXPECT_ERROR(open_and_read(file.bytes), file.complaint);
    }
  }
  EXPECT_ERROR(TorchFile(std::filesystem::path("none.bin")), "No such file");
}

TEST(TorchFile, RefusesEveryTruncation) {
  for (const char* name : {"zip.bin", "legacy.bin", "nested.bin", "shared.bin"}) {
    const std::string whole = golden(name);
    for (size_t n = 0; n < whole.size(); ++n)
      EXPECT_THROW(open_and_read(whole.substr(0, n)), Error) << name << ' ' << n;
  }
}

TEST(TorchFile, SurvivesBitFlips) {
  for (const char* name : {"nested.bin", "shared.bin", "legacy.bin"}) {
    std::string bytes = golden(name);
    size_t refused = 0;
    for (size_t bit = 0; bit < 8 * bytes.size(); bit += 3) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      try {
        open_and_read(bytes);
      } catch (const Error&) {
        ++refused;
      }
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    }
    EXPECT_GT(refused, bytes.size() / 3) << name;
  }
}

TEST(TorchFile, BoundsItsMemory) {
  INK_SKIP_MEMORY_TEST();
  using hostile::repeat;
  constexpr size_t kTimes = 400'000;
  const std::string a = hostile::tensor(hostile::storage("FloatStorage", "0", 6), 0, {6}, {1});
  std::string names = hostile::kOrdered + "(" + hostile::text("x") + a + "q\2", storages, memos;
  for (size_t i = 0; i < kTimes; ++i) names += hostile::text(std::to_string(i)) + "h\2";
  for (size_t i = 0; i < kTimes; ++i) memos += "}r" + hostile::raw(static_cast<uint32_t>(i));
  for (size_t i = 0; i < kTimes / 10; ++i)
    storages += hostile::storage("FloatStorage", std::to_string(i), 0);
  for (const std::string& program :
       {repeat("]", kTimes), "](" + repeat("N", kTimes) + "e", repeat("(", kTimes), names + "u",
        memos, storages, "]" + repeat("N\x85", kTimes)}) {
    // Numbers raise what the pickle may push: with ten times its size everything is allowed.
    for (const size_t times : {0, 10}) {
      const testing::TemporaryFolder folder;
      const std::string bytes =
          hostile::torch_zip(program, std::string(times * program.size(), '\0'));
      write_file(folder / "x", bytes);
      SCOPED_TRACE(program.substr(0, 20) + " and " + std::to_string(times));
      testing::expect_bounded_memory(bytes.size(), [&] { const TorchFile file(folder / "x"); });
    }
  }
}

}  // namespace
}  // namespace ink
