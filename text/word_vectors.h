// WordVectors: a vector of each word, in the files of word2vec, text and binary.
//
//   text      "V C\n", then V lines "word x₁ x₂ … x_C"
//   binary    "V C\n", then V times the word, a blank, C little-endian floats and perhaps "\n"
//
// Both begin alike; a file whose first word is followed by C written numbers is text.
//
//   const WordVectors vectors = WordVectors::load("vectors.bin");
//   const auto number = vectors.words.find("砚台");
//
// Files are untrusted: the counts of the header are held against the size of the file before memory
// is taken, and a line of another width, a number that is not finite, a word that is there already
// or is not UTF-8, and a file that ends too early or too late are errors that name line or byte.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "tensor/tensor.h"
#include "text/word_list.h"

namespace ink {

enum class VectorFormat : uint8_t { text, binary };

struct WordVectors {
  WordList words;  // V, usually the most frequent first
  Tensor rows;     // (V, C), f32

  int64_t width() const { return rows.dim(1); }

  static WordVectors load(const std::filesystem::path& path);
  // The same from the content of such a file; `source` stands in messages for where it is from.
  static WordVectors parse(std::string_view content, const std::string& source);
  // Written beside and renamed. The text form is exact: reading gives the same bits. Raises Error
  // when a word is empty or holds a blank, which the formats cannot express.
  void save(const std::filesystem::path& path, VectorFormat format = VectorFormat::text) const;
};

// Whether a content begins as both formats do, with a line of two whole numbers.
bool begins_as_vectors(std::string_view content);

}  // namespace ink
