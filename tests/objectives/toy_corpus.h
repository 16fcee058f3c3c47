// A small invented language: 200 characters, many pairs of them words, in short documents.
#pragma once
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tensor/philox.h"
#include "text/segmenter.h"
#include "text/tokenizer.h"

namespace ink {

inline constexpr int kToyCharacters = 200;

inline std::string toy_character(uint64_t i) {
  std::string out;
  append_utf8(out, static_cast<char32_t>(0x4E00 + i));
  return out;
}

inline Tokenizer toy_tokenizer() {
  std::vector<std::string> tokens{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "。"};
  for (uint64_t i = 0; i < kToyCharacters; ++i) tokens.push_back(toy_character(i));
  return Tokenizer(Vocabulary(tokens));
}

// Words are the characters (2k, 2k+1) for k < 60.
inline Segmenter toy_segmenter(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const std::filesystem::path path = folder / "words.txt";
  std::ofstream out(path);
  for (uint64_t k = 0; k < 60; ++k) {
    out << toy_character(2 * k) << toy_character(2 * k + 1) << " 100 n\n";
  }
  out.close();
  return Segmenter::load({.dictionary = path});
}

inline std::string toy_sentence(Draws& draws) {
  std::string text;
  for (uint64_t words = 3 + draws.below(8); words > 0; --words) {
    const double u = draws.uniform();  // low numbers are frequent: that much can be learned
    const auto i = static_cast<uint64_t>(kToyCharacters * u * u * u);
    text += toy_character(i);
    if (i < 120 && i % 2 == 0) text += toy_character(i + 1);
  }
  return text + "。";
}

// Writes `documents` documents of 1 to 6 lines in `files` files.
inline void write_toy_corpus(const std::filesystem::path& folder, int documents, int files = 1,
                             uint64_t seed = 1) {
  std::filesystem::create_directories(folder);
  Draws draws{Random(seed)};
  for (int f = 0; f < files; ++f) {
    std::ofstream out(folder / ("part" + std::to_string(f) + ".txt"));
    for (int d = f; d < documents; d += files) {
      for (uint64_t lines = 1 + draws.below(6); lines > 0; --lines) {
        out << toy_sentence(draws) << toy_sentence(draws) << '\n';
      }
      out << '\n';
    }
  }
}

}  // namespace ink
