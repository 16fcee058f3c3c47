// Corpus: plain text files of any size, read as documents in an order that a seed decides.
//
// A line is a sentence or paragraph; blank lines end a document. Files may be larger than memory:
// they are mapped, looked through once for errors and document borders, and then read in blocks of
// about a megabyte. Shuffling permutes the blocks, then the documents of a few blocks together, so
// that memory stays small however large the corpus is.
//
//   const Corpus corpus = Corpus::open({"texts"}, {.held_out = 0.01});
//   CorpusReader reader(corpus, Split::train, /*seed=*/7);
//   const Document document = reader.next();       // without end: epochs follow each other
//   const CorpusPosition here = reader.position();  // seek(here) continues just so
//
// The files must not change while the corpus is in use.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/file.h"

namespace ink {

enum class Split : uint8_t { train, held_out };

struct Document {
  std::vector<std::string> lines;  // none blank, no line ends, valid UTF-8
  // Hash of the document's text, its first block_bytes: pieces of one document have the same.
  uint64_t beginning = 0;
  bool operator==(const Document& other) const { return lines == other.lines; }
};

struct CorpusOptions {
  // Share of documents kept for evaluation, 0 to 1. Chosen by a hash of the document's text (its
  // first block_bytes), so a document keeps its side when files are renamed, split or added.
  double held_out = 0;
  // A block ends with the document that fills it, whatever files its documents lie in; a document
  // that is longer is cut at a line end, and all its pieces are on the same side.
  int64_t block_bytes = int64_t{1} << 20;
};

// Files as they are; of folders, all *.txt files in them and below, by name. Raises Error for
// missing files and folders without text.
std::vector<std::filesystem::path> text_files(const std::vector<std::filesystem::path>& paths);

class Corpus {
 public:
  // Of text_files(paths). Raises Error for a corpus without a document, and bytes that are not
  // UTF-8 (naming file, line and offset).
  static Corpus open(const std::vector<std::filesystem::path>& paths,
                     const CorpusOptions& options = {});

  int64_t documents(Split split) const;  // pieces of those longer than a block count each
  int64_t whole_documents(Split split) const;
  int64_t bytes() const;
  uint64_t digest() const { return digest_; }  // of the files in order (tensor/fingerprint.h)
  int64_t blocks() const { return static_cast<int64_t>(blocks_.size()); }
  int64_t block_documents(int64_t block, Split split) const;
  std::vector<Document> read_block(int64_t block, Split split) const;

 private:
  struct Piece {  // of a file, in bytes
    size_t file, begin, end;
  };
  struct Block {
    std::vector<Piece> pieces = {};
    std::array<int64_t, 2> documents = {};  // by Split
    // Where the block begins in the middle of a document: that one's hash.
    std::optional<uint64_t> continued = {};
    size_t bytes() const;
  };
  Corpus() = default;
  void index(std::shared_ptr<const MappedFile> file);
  Split split_of(uint64_t beginning) const;

  CorpusOptions options_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<Block> blocks_;
  uint64_t digest_ = 0;
};

// Where a reader stands: the next document is number `document` of `epoch`.
struct CorpusPosition {
  int64_t epoch = 0, document = 0;
  bool operator==(const CorpusPosition&) const = default;
};

// The documents of a split, again and again. What comes at a position is a function of the corpus,
// the seed and the position alone. The corpus must outlive the reader.
class CorpusReader {
 public:
  // Without a seed: in the order of the files. Raises Error when the split has no document.
  CorpusReader(const Corpus& corpus, Split split, std::optional<uint64_t> seed);

  Document next();
  CorpusPosition position() const { return position_; }
  void seek(CorpusPosition position);

 private:
  void load_group(size_t first);

  const Corpus& corpus_;
  Split split_;
  std::optional<uint64_t> seed_;
  CorpusPosition position_;
  std::vector<int64_t> order_;       // of the blocks in this epoch
  size_t next_group_ = 0;            // index in order_ of the first block not loaded
  std::vector<Document> documents_;  // of the group of blocks in memory
  size_t next_document_ = 0;         // in documents_
};

}  // namespace ink
