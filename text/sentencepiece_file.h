// SentencePiece model files (spiece.model, sentencepiece.bpe.model): pieces, scores, charsmap.
//
// The format is a protocol buffer (sentencepiece_model.proto); read are the fields that a Unigram
// model needs, others are passed over. Files are not trusted: lengths are checked against what is
// there, and numbers against their ranges.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

struct SentencePieceFile {
  enum class Type : uint8_t { normal = 1, unknown, control, user_defined, unused, byte };
  struct Piece {
    std::string text;
    float score;  // natural logarithm of its probability
    Type type = Type::normal;
    bool operator==(const Piece&) const = default;
  };
  std::vector<Piece> pieces;  // by id
  std::string charsmap;       // for text/charsmap.h; empty: none
  bool operator==(const SentencePieceFile&) const = default;
};

// Raises Error, naming `source` and the offset, for anything but a complete Unigram model.
SentencePieceFile parse_sentencepiece(std::string_view bytes, const std::string& source);
std::string write_sentencepiece(const SentencePieceFile& file);

// The same file with those pieces alone that `stays` says, scores and all else unchanged; numbers
// of pieces (unk_id, vocab_size, …) become those of the smaller file. Raises Error as parsing does.
std::string with_pieces(std::string_view bytes, const std::string& source,
                        const std::function<bool(const SentencePieceFile::Piece& piece)>& stays);

}  // namespace ink
