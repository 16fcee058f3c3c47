// Words that no dictionary holds: a hidden Markov model over characters, decoded by Viterbi.
#include "text/word_hmm.h"

#include <charconv>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"

namespace ink {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 26;
constexpr double kImpossible = -3.14e100;  // the reference's stand-in for log 0

// Reads `P={'key': value, …}`, the one form of Python that the tables are written in.
class DictReader {
 public:
  DictReader(std::string_view text, std::string source) : text_(text), source_(std::move(source)) {
    at_ = text_.find("P=");
    check(at_ != std::string_view::npos, "segmenter: expected a table 'P={…}' in ", source_);
    at_ += 2;
  }

  // Calls take(key) for every entry of the dict that starts here; take reads the value.
  template <class F>
  void dict(const F& take) {
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      take(key);
      if (accept(',')) continue;
      expect('}');
      break;
    }
  }

  double number() {
    skip_blanks();
    double value = 0;
    const char* first = text_.data() + at_;
    const auto [last, error] = std::from_chars(first, text_.data() + text_.size(), value);
    if (error != std::errc()) fail_here("a number");
    at_ += static_cast<size_t>(last - first);
    return value;
  }

  void end() {
    skip_blanks();
    if (at_ < text_.size()) fail_here("the end of the file");
  }
  const std::string& source() const { return source_; }

 private:
  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size()); }
  bool accept(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail_here(std::string("'") + c + '\'');
  }
  // A quoted string of plain characters and \uXXXX escapes.
  std::string string() {
    expect('\'');
    std::string out;
    while (at_ < text_.size() && text_[at_] != '\'') {
      if (text_[at_] != '\\') {
        out += text_[at_++];
        continue;
      }
      uint32_t code = 0;
      const char* first = text_.data() + at_ + 2;
      if (at_ + 6 > text_.size() || text_[at_ + 1] != 'u' ||
          std::from_chars(first, first + 4, code, 16).ptr != first + 4)
        fail_here("an escape \\uXXXX");
      append_utf8(out, code);
      at_ += 6;
    }
    expect('\'');
    return out;
  }
  [[noreturn]] void fail_here(const std::string& expected) const {
    fail("segmenter: expected ", expected, " at byte ", at_, " of ", source_, ", got '",
         replace_invalid_utf8(text_.substr(std::min(at_, text_.size()), 12)), "'");
  }

  std::string_view text_;
  std::string source_;
  size_t at_ = 0;
};

template <class F>
void read_table(const std::filesystem::path& path, const F& read) {
  const std::string text = read_file(path, kMaxFileBytes);
  DictReader in(text, path.string());
  read(in);
  in.end();
}

}  // namespace

WordHmm::WordHmm() : emission_(kLast - kFirst + 1) {
  start_.fill(kImpossible);
  for (Scores& row : transition_) row.fill(kImpossible);
  for (Scores& row : emission_) row.fill(kImpossible);
}

WordHmm::State WordHmm::state_of(std::string_view letter, const std::string& source) {
  constexpr std::string_view letters = "BEMS";
  const size_t i = letter.size() == 1 ? letters.find(letter) : std::string_view::npos;
  check(i != std::string_view::npos, "segmenter: expected a state B, M, E or S in ", source,
        ", got '", letter, "'");
  return static_cast<State>(i);
}

WordHmm WordHmm::load(const std::filesystem::path& finalseg_folder) {
  WordHmm hmm;
  read_table(finalseg_folder / "prob_start.py", [&](DictReader& in) {
    in.dict([&](const std::string& s) { hmm.start_[state_of(s, in.source())] = in.number(); });
  });
  read_table(finalseg_folder / "prob_trans.py", [&](DictReader& in) {
    in.dict([&](const std::string& from) {
      Scores& row = hmm.transition_[state_of(from, in.source())];
      in.dict([&](const std::string& to) { row[state_of(to, in.source())] = in.number(); });
    });
  });
  read_table(finalseg_folder / "prob_emit.py", [&](DictReader& in) {
    in.dict([&](const std::string& s) {
      const State state = state_of(s, in.source());
      in.dict([&](const std::string& key) {
        const std::u32string c = decode_utf8(key, in.source());
        const double score = in.number();
        check(c.size() == 1, "segmenter: expected single characters in ", in.source(), ", got '",
              key, "'");
        if (c[0] >= kFirst && c[0] <= kLast) hmm.emission_[c[0] - kFirst][state] = score;
      });
    });
  });
  return hmm;
}

uint64_t WordHmm::digest() const {
  Digest digest;
  digest.add(std::span<const double>(start_));
  for (const Scores& from : transition_) digest.add(std::span<const double>(from));
  for (const Scores& character : emission_) digest.add(std::span<const double>(character));
  return digest.value();
}

void WordHmm::cut(std::u32string_view han, int32_t shift, std::vector<Span>& words) const {
  if (han.empty()) return;
  // Which two states may stand before each; on equal scores the later letter wins.
  struct Before {
    State low, high;
  };
  static constexpr std::array<Before, kStates> before = {
      Before{end, single}, {begin, middle}, {begin, middle}, {end, single}};
  const size_t n = han.size();
  std::vector<std::array<State, kStates>> from(n);
  Scores score{};
  for (size_t s = 0; s < kStates; ++s) score[s] = start_[s] + emission_[han[0] - kFirst][s];
  for (size_t t = 1; t < n; ++t) {
    const Scores& emission = emission_[han[t] - kFirst];
    Scores next{};
    for (size_t s = 0; s < kStates; ++s) {
      const auto [low, high] = before[s];
      const double a = score[low] + transition_[low][s] + emission[s];
      const double b = score[high] + transition_[high][s] + emission[s];
      next[s] = b >= a ? b : a;
      from[t][s] = b >= a ? high : low;
    }
    score = next;
  }
  std::vector<State> path(n);
  path[n - 1] = score[single] >= score[end] ? single : end;
  for (size_t t = n - 1; t > 0; --t) path[t - 1] = from[t][path[t]];

  int32_t word_begin = 0;
  for (size_t t = 0; t < n; ++t) {
    const auto i = static_cast<int32_t>(t);
    if (path[t] == begin || path[t] == single) word_begin = i;
    if (path[t] == end || path[t] == single) words.push_back({shift + word_begin, shift + i + 1});
  }
}

}  // namespace ink
