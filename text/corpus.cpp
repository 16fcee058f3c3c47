// Corpus: plain text files of any size, read as documents in an order that a seed decides.
#include "text/corpus.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "tensor/philox.h"
#include "text/utf8.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kBlanks = " \t\r\n\v\f";

bool is_blank_line(std::string_view line) {
  return line.find_first_not_of(kBlanks) == std::string_view::npos;
}

// The line that starts at `at`, its end included.
std::string_view line_at(std::string_view text, size_t at) {
  const size_t end = text.find('\n', at);
  return text.substr(at, end == std::string_view::npos ? end : end + 1 - at);
}

struct Extent {
  size_t begin, end;
};

// The document that starts at or behind `at`; empty at the end of the text. It ends before a blank
// line, or with the line that makes it `limit` bytes long.
Extent document_at(std::string_view text, size_t at, size_t limit) {
  std::string_view line;
  while (at < text.size() && is_blank_line(line = line_at(text, at))) at += line.size();
  Extent out{at, at};
  while (out.end < text.size() && out.end - out.begin < limit) {
    line = line_at(text, out.end);
    if (is_blank_line(line)) break;
    out.end += line.size();
  }
  return out;
}

Document parse_document(std::string_view text) {
  Document out;
  for (size_t at = 0; at < text.size();) {
    std::string_view line = line_at(text, at);
    at += line.size();
    const size_t last = line.find_last_not_of("\r\n");
    out.lines.emplace_back(line.substr(0, last + 1));
  }
  return out;
}

void check_utf8(const MappedFile& file) {
  const size_t bad = first_invalid_utf8(file.text());
  if (bad == file.size()) return;
  const std::string_view before = file.text().substr(0, bad);
  fail("corpus: ", file.path().string(), ":", std::count(before.begin(), before.end(), '\n') + 1,
       ": expected valid UTF-8, got another byte at offset ", bad, "; convert the file to UTF-8");
}

std::vector<fs::path> text_files_below(const fs::path& folder) {
  std::vector<fs::path> found;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file() && entry.path().extension() == ".txt")
        found.push_back(entry.path());
  } catch (const fs::filesystem_error& e) {
    fail("corpus: cannot list ", e.path1().string(), ": ", e.code().message());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// FNV-1a. Trailing line ends differ between systems and at the end of a file.
uint64_t beginning_of(std::string_view document) {
  uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : document.substr(0, document.find_last_not_of("\r\n") + 1))
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return hash;
}

}  // namespace

std::vector<fs::path> text_files(const std::vector<fs::path>& paths) {
  std::vector<fs::path> out;
  for (const fs::path& path : paths) {
    check(fs::exists(path), "corpus: expected a file or folder of text at ", path.string(),
          ", got nothing of that name");
    if (!fs::is_directory(path)) {
      out.push_back(path);
      continue;
    }
    const std::vector<fs::path> found = text_files_below(path);
    check(!found.empty(), "corpus: expected *.txt files in the folder ", path.string(),
          ", got none");
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

Corpus Corpus::open(const std::vector<fs::path>& paths, const CorpusOptions& options) {
  check(options.held_out >= 0 && options.held_out <= 1,
        "corpus: expected held_out from 0 to 1, got ", options.held_out);
  check(options.block_bytes > 0, "corpus: expected block_bytes above 0, got ", options.block_bytes);
  check(!paths.empty(), "corpus: expected at least one file or folder of text, got none");
  Corpus corpus;
  corpus.options_ = options;
  for (const fs::path& path : text_files(paths)) corpus.index(MappedFile::open(path));
  check(!corpus.blocks_.empty(), "corpus: expected text, got only empty files, the first of ",
        corpus.files_.size(), " being ", corpus.files_[0]->path().string());
  return corpus;
}

void Corpus::index(std::shared_ptr<const MappedFile> file) {
  check_utf8(*file);
  const std::string_view text = file->text();
  digest_ = Digest().add(digest_).add(text).value();
  const auto limit = static_cast<size_t>(options_.block_bytes);
  size_t at = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  bool cut = false;
  uint64_t beginning = 0;
  for (;;) {
    const auto [begin, end] = document_at(text, at, limit);
    if (begin == end) break;
    const bool continues = cut && begin == at;  // no blank line between
    if (!continues) beginning = beginning_of(text.substr(begin, end - begin));
    // A document that was cut has filled its block, so its next piece begins one.
    if (blocks_.empty() || blocks_.back().bytes() >= limit) blocks_.emplace_back();
    Block& block = blocks_.back();
    if (continues) block.continued = beginning;
    if (block.pieces.empty() || block.pieces.back().file != files_.size())
      block.pieces.push_back({files_.size(), begin, begin});
    block.pieces.back().end = end;
    ++block.documents[static_cast<size_t>(split_of(beginning))];
    cut = end - begin >= limit;
    at = end;
  }
  files_.push_back(std::move(file));
}

size_t Corpus::Block::bytes() const {
  size_t n = 0;
  for (const Piece& piece : pieces) n += piece.end - piece.begin;
  return n;
}

Split Corpus::split_of(uint64_t beginning) const {
  return Random(beginning).uniform(0) < options_.held_out ? Split::held_out : Split::train;
}

int64_t Corpus::documents(Split split) const {
  int64_t n = 0;
  for (int64_t b = 0; b < blocks(); ++b) n += block_documents(b, split);
  return n;
}

int64_t Corpus::whole_documents(Split split) const {
  return documents(split) - std::ranges::count_if(blocks_, [&](const Block& block) {
           return block.continued && split_of(*block.continued) == split;
         });
}

int64_t Corpus::bytes() const {
  size_t n = 0;
  for (const Block& block : blocks_) n += block.bytes();
  return static_cast<int64_t>(n);
}

int64_t Corpus::block_documents(int64_t block, Split split) const {
  check(block >= 0 && block < blocks(), "corpus: expected a block in [0, ", blocks(), "), got ",
        block);
  return blocks_[static_cast<size_t>(block)].documents[static_cast<size_t>(split)];
}

std::vector<Document> Corpus::read_block(int64_t block, Split split) const {
  std::vector<Document> out;
  if (block_documents(block, split) == 0) return out;
  const Block& b = blocks_[static_cast<size_t>(block)];
  bool known = b.continued.has_value();  // of the first document alone
  for (const Piece& piece : b.pieces) {
    const std::string_view text = files_[piece.file]->text().substr(0, piece.end);
    for (size_t at = piece.begin; at < piece.end;) {
      const auto [begin, end] = document_at(text, at, static_cast<size_t>(options_.block_bytes));
      const std::string_view document = text.substr(begin, end - begin);
      const uint64_t beginning = known ? *b.continued : beginning_of(document);
      known = false;
      if (split_of(beginning) == split) {
        out.push_back(parse_document(document));
        out.back().beginning = beginning;
      }
      at = end;
    }
  }
  return out;
}

}  // namespace ink
