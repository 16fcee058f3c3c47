// Replays the corpus of a fuzz target: every file, its prefixes, copies with bytes changed.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/file.h"
#include "tensor/philox.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace ink {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 24, kPrefixes = 64;
constexpr int kDamagedCopies = 64;

std::vector<std::filesystem::path> corpus() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(INK_CORPUS))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

// A copy in memory of exactly its size, so that a sanitizer sees reads beyond it.
void run(const std::string& input) {
  const std::vector<uint8_t> bytes(input.begin(), input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

TEST(Corpus, IsTakenWhole) {
  ASSERT_FALSE(corpus().empty()) << INK_CORPUS;
  for (const auto& path : corpus()) {
    SCOPED_TRACE(path.filename());
    run(read_file(path, kMaxFileBytes));
  }
}

TEST(Corpus, IsTakenTruncated) {
  for (const auto& path : corpus()) {
    SCOPED_TRACE(path.filename());
    const std::string input = read_file(path, kMaxFileBytes);
    const size_t step = std::max<size_t>(1, input.size() / kPrefixes);
    for (size_t n = 0; n < input.size(); n += step) run(input.substr(0, n));
  }
}

TEST(Corpus, IsTakenDamaged) {
  Draws draws{Random(1)};
  for (const auto& path : corpus()) {
    SCOPED_TRACE(path.filename());
    const std::string input = read_file(path, kMaxFileBytes);
    if (input.empty()) continue;
    for (int copy = 0; copy < kDamagedCopies; ++copy) {
      std::string damaged = input;
      for (uint64_t n = 1 + draws.below(4); n > 0; --n)
        damaged[draws.below(damaged.size())] = static_cast<char>(draws.below(256));
      run(damaged);
    }
  }
}

}  // namespace
}  // namespace ink
