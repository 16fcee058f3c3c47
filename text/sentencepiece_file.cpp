// SentencePiece model files (spiece.model, sentencepiece.bpe.model): pieces, scores, charsmap.
#include "text/sentencepiece_file.h"

#include <bit>
#include <cstring>

#include "tensor/error.h"
#include "text/utf8.h"

namespace ink {
namespace {

// Numbers of sentencepiece_model.proto.
constexpr uint32_t kPieces = 1, kTrainer = 2, kNormalizer = 3;  // of ModelProto
constexpr uint32_t kText = 1, kScore = 2, kType = 3;            // of SentencePiece
constexpr uint32_t kModelType = 3, kUnigram = 1;                // of TrainerSpec
constexpr uint32_t kVocabularySize = 4, kUnknownId = 40, kPadId = 43;
constexpr uint32_t kCharsmap = 2;  // of NormalizerSpec
enum class Wire : uint32_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

struct Field {
  uint32_t number;
  Wire wire;
  uint64_t value = 0;           // of varint and fixed
  std::string_view bytes = {};  // of bytes
  std::string_view whole = {};  // as it is written
};

// The fields of a message, one after the other.
class Fields {
 public:
  Fields(std::string_view whole, std::string_view bytes, const std::string& source)
      : whole_(whole), rest_(bytes), source_(source) {}

  bool next(Field& field) {
    if (rest_.empty()) return false;
    const std::string_view before = rest_;
    const uint64_t key = varint();
    field = {static_cast<uint32_t>(key >> 3), static_cast<Wire>(key & 7)};
    expect(key >> 3 > 0 && key >> 3 < (1u << 29), "a field's number");
    switch (field.wire) {
      case Wire::varint: field.value = varint(); break;
      case Wire::fixed64: field.value = fixed(8); break;
      case Wire::fixed32: field.value = fixed(4); break;
      case Wire::bytes: {
        const uint64_t size = varint();
        expect(size <= rest_.size(), "as many bytes as a field's length says");
        field.bytes = take(static_cast<size_t>(size));
        break;
      }
      default: expect(false, "a field of a known kind");
    }
    field.whole = before.substr(0, before.size() - rest_.size());
    return true;
  }
  void expect(bool ok, const char* what) const {
    check(ok, "sentencepiece: ", source_, ": expected ", what, " at offset ",
          static_cast<size_t>(rest_.data() - whole_.data()), " of ", whole_.size());
  }

 private:
  std::string_view take(size_t n) {
    const std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      expect(!rest_.empty(), "more bytes of a number");
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    expect(false, "a number of at most 10 bytes");
    return 0;
  }
  uint64_t fixed(size_t n) {
    expect(rest_.size() >= n, "more bytes of a number");
    uint64_t value = 0;
    std::memcpy(&value, take(n).data(), n);
    return value;
  }

  std::string_view whole_, rest_;
  const std::string& source_;
};

SentencePieceFile::Piece read_piece(Fields message) {
  SentencePieceFile::Piece piece{};
  piece.type = SentencePieceFile::Type::normal;
  for (Field f{}; message.next(f);) {
    if (f.number == kText && f.wire == Wire::bytes) {
      piece.text = f.bytes;
      message.expect(first_invalid_utf8(f.bytes) == f.bytes.size(), "a piece in UTF-8");
    } else if (f.number == kScore && f.wire == Wire::fixed32) {
      piece.score = std::bit_cast<float>(static_cast<uint32_t>(f.value));
    } else if (f.number == kType && f.wire == Wire::varint) {
      message.expect(f.value >= 1 && f.value <= 6, "a type of piece from 1 to 6");
      piece.type = static_cast<SentencePieceFile::Type>(f.value);
    }
  }
  message.expect(!piece.text.empty(), "a piece with a text");
  return piece;
}

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
void put_key(std::string& out, uint32_t number, Wire wire) {
  put_varint(out, number << 3 | static_cast<uint32_t>(wire));
}
void put_number(std::string& out, uint32_t number, uint64_t value) {
  put_key(out, number, Wire::varint);
  put_varint(out, value);
}
void put_bytes(std::string& out, uint32_t number, std::string_view bytes) {
  put_key(out, number, Wire::bytes);
  put_varint(out, bytes.size());
  out += bytes;
}

}  // namespace

SentencePieceFile parse_sentencepiece(std::string_view bytes, const std::string& source) {
  SentencePieceFile out;
  Fields counted(bytes, bytes, source), model(bytes, bytes, source);
  size_t pieces = 0;
  for (Field f{}; counted.next(f);) pieces += f.number == kPieces && f.wire == Wire::bytes;
  out.pieces.reserve(pieces);      // exactly, as small pieces are smaller than what holds them
  uint64_t model_type = kUnigram;  // the proto's default
  for (Field f{}; model.next(f);) {
    if (f.wire != Wire::bytes) continue;
    Fields message(bytes, f.bytes, source);
    Field inner{};
    if (f.number == kPieces) {
      out.pieces.push_back(read_piece(message));
    } else if (f.number == kTrainer) {
      while (message.next(inner))
        if (inner.number == kModelType && inner.wire == Wire::varint) model_type = inner.value;
    } else if (f.number == kNormalizer) {
      while (message.next(inner))
        if (inner.number == kCharsmap && inner.wire == Wire::bytes) out.charsmap = inner.bytes;
    }
  }
  check(model_type == kUnigram, "sentencepiece: ", source,
        ": expected a Unigram model (1), got type ", model_type);
  check(!out.pieces.empty(), "sentencepiece: ", source, ": expected pieces, got none in ",
        bytes.size(), " bytes");
  return out;
}

std::string write_sentencepiece(const SentencePieceFile& file) {
  std::string out;
  uint64_t unknown = 0;
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    const auto& [text, score, type] = file.pieces[id];
    if (type == SentencePieceFile::Type::unknown) unknown = id;
    std::string piece;
    put_bytes(piece, kText, text);
    put_key(piece, kScore, Wire::fixed32);
    const auto bits = std::bit_cast<uint32_t>(score);
    for (int shift = 0; shift < 32; shift += 8) piece += static_cast<char>(bits >> shift & 255);
    if (type != SentencePieceFile::Type::normal)
      put_number(piece, kType, static_cast<uint64_t>(type));
    put_bytes(out, kPieces, piece);
  }
  std::string trainer, normalizer;
  put_number(trainer, kModelType, kUnigram);
  put_number(trainer, kUnknownId, unknown);
  put_bytes(out, kTrainer, trainer);
  put_bytes(normalizer, kCharsmap, file.charsmap);
  put_bytes(out, kNormalizer, normalizer);
  return out;
}

namespace {

// Numbers of pieces, unk_id to pad_id, as `new_places` has them; −1 is none.
std::string with_new_places(Fields trainer, const std::vector<int64_t>& new_places, size_t kept) {
  std::string out;
  for (Field f{}; trainer.next(f);) {
    const bool is_place = f.wire == Wire::varint && f.number >= kUnknownId && f.number <= kPadId;
    if (is_place && f.value < new_places.size())
      put_number(out, f.number, static_cast<uint64_t>(new_places[static_cast<size_t>(f.value)]));
    else if (f.number == kVocabularySize && f.wire == Wire::varint)
      put_number(out, f.number, kept);
    else
      out += f.whole;
  }
  return out;
}

}  // namespace

std::string with_pieces(std::string_view bytes, const std::string& source,
                        const std::function<bool(const SentencePieceFile::Piece& piece)>& stays) {
  const SentencePieceFile file = parse_sentencepiece(bytes, source);
  std::vector<int64_t> new_places;
  size_t kept = 0;
  for (const SentencePieceFile::Piece& piece : file.pieces)
    new_places.push_back(stays(piece) ? static_cast<int64_t>(kept++) : -1);
  std::string out;
  Fields model(bytes, bytes, source);
  size_t place = 0;
  for (Field f{}; model.next(f);) {
    if (f.number == kPieces && f.wire == Wire::bytes) {
      if (new_places[place++] >= 0) out += f.whole;
    } else if (f.number == kTrainer && f.wire == Wire::bytes) {
      put_bytes(out, kTrainer, with_new_places(Fields(bytes, f.bytes, source), new_places, kept));
    } else {
      out += f.whole;
    }
  }
  return out;
}

}  // namespace ink
