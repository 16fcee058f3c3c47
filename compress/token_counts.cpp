// How often a tokenizer's tokens occur: counted in texts, or read from a file.
#include "compress/token_counts.h"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <numeric>
#include <optional>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/keys.h"
#include "tensor/parallel.h"

namespace ink {
namespace {

constexpr size_t kLongestFile = size_t{1} << 30;

// Calls f(line) for each line of some blocks, blocks in parallel; f of each task is made by
// make(), and finish(f) is called one at a time.
template <class Make, class Finish>
void for_each_line(const Corpus& corpus, const Make& make, const Finish& finish) {
  std::mutex one_at_a_time;
  parallel_for(corpus.blocks(), 1, [&](int64_t begin, int64_t end) {
    auto task = make();
    for (int64_t block = begin; block < end; ++block)
      for (const Document& document : corpus.read_block(block, Split::train))
        for (const std::string& line : document.lines) task(line);
    const std::lock_guard lock(one_at_a_time);
    finish(task);
  });
}

struct Counting {
  const Tokenizer& tokenizer;
  TokenCounts counts;
  void operator()(const std::string& line) {
    for (const int32_t id : tokenizer.pieces(line).ids) ++counts.of[static_cast<size_t>(id)];
    ++counts.lines;
  }
};

int64_t unknown_in(const std::vector<int32_t>& ids, const Tokenizer& tokenizer) {
  if (tokenizer.vocabulary().special_tokens().unk.empty()) return 0;
  return std::ranges::count(ids, tokenizer.vocabulary().unk());
}

struct Comparing {
  const Tokenizer &before, &after;
  const KeptTokens& kept;
  TextComparison sums;
  void operator()(const std::string& line) {
    const std::vector<int32_t> old_ids = before.pieces(line).ids, new_ids = after.pieces(line).ids;
    const bool alike = std::ranges::equal(old_ids, new_ids, [&](int32_t old_id, int32_t new_id) {
      return kept.new_id(old_id) == new_id;
    });
    ++sums.lines;
    sums.lines_cut_otherwise += !alike;
    sums.tokens_before += static_cast<int64_t>(old_ids.size());
    sums.tokens_after += static_cast<int64_t>(new_ids.size());
    sums.unknown_before += unknown_in(old_ids, before);
    sums.unknown_after += unknown_in(new_ids, after);
  }
};

std::optional<int64_t> number_in(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && !text.empty() ? std::optional(value) : std::nullopt;
}

struct Line {
  std::string_view name;  // a token or an id
  std::optional<int64_t> count;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> lines;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const size_t tab = line.rfind('\t');
    const auto count =
        tab == std::string_view::npos ? std::nullopt : number_in(line.substr(tab + 1));
    lines.push_back({count ? line.substr(0, tab) : line, count});
  }
  return lines;
}

}  // namespace

int64_t TokenCounts::total() const { return std::accumulate(of.begin(), of.end(), int64_t{0}); }

int64_t TokenCounts::distinct() const {
  return std::ranges::count_if(of, [](int64_t n) { return n > 0; });
}

TokenCounts count_tokens(const Tokenizer& tokenizer, const Corpus& corpus) {
  const auto size = static_cast<size_t>(tokenizer.vocabulary().size());
  TokenCounts all{std::vector<int64_t>(size)};
  for_each_line(
      corpus,
      [&] {
        return Counting{tokenizer, {std::vector<int64_t>(size)}};
      },
      [&](const Counting& some) {
        for (size_t id = 0; id < size; ++id) all.of[id] += some.counts.of[id];
        all.lines += some.counts.lines;
      });
  return all;
}

TextComparison compare_on(const Corpus& corpus, const Tokenizer& before, const Tokenizer& after,
                          const KeptTokens& kept) {
  TextComparison all;
  for_each_line(
      corpus,
      [&] {
        return Comparing{before, after, kept, {}};
      },
      [&](const Comparing& some) {
        all.lines += some.sums.lines;
        all.lines_cut_otherwise += some.sums.lines_cut_otherwise;
        all.tokens_before += some.sums.tokens_before;
        all.tokens_after += some.sums.tokens_after;
        all.unknown_before += some.sums.unknown_before;
        all.unknown_after += some.sums.unknown_after;
      });
  return all;
}

int32_t known_token(const Vocabulary& vocabulary, const std::string& token,
                    const std::string& place) {
  if (const auto id = vocabulary.find(token); id && !token.empty()) return *id;
  const std::vector<std::string> tokens = vocabulary.tokens();
  const std::vector<std::string_view> known(tokens.begin(), tokens.end());
  const std::string_view near = nearest_word(token, known);
  fail("prune: ", place, ": ", in_quotes(token), " is no token of this vocabulary",
       near.empty() ? "" : "; did you mean " + in_quotes(near) + "?");
}

TokenFile read_token_file(const std::filesystem::path& path, const Vocabulary& vocabulary) {
  const std::string text = read_file(path, kLongestFile);
  const std::vector<Line> lines = lines_of(text);
  check(!lines.empty(), "prune: ", path.string(),
        ": expected tokens, ids or counts, a line each, got none");
  const auto is_id = [](const Line& line) { return number_in(line.name).has_value(); };
  const auto has_count = [](const Line& line) { return line.count.has_value(); };
  const bool ids = std::ranges::all_of(lines, is_id);
  const bool counted = std::ranges::all_of(lines, has_count);
  TokenFile out{{}, {std::vector<int64_t>(static_cast<size_t>(vocabulary.size()))}};
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto& [name, count] = lines[i];
    const std::string place = path.string() + ':' + std::to_string(i + 1);
    check(counted || !count, "prune: ", place,
          ": expected a count behind a tab on every line or on none");
    check(count.value_or(0) >= 0, "prune: ", place, ": expected a count of 0 or more, got ",
          count.value_or(0));
    int32_t id = 0;
    if (ids) {
      const int64_t number = *number_in(name);
      check(number >= 0 && number < vocabulary.size(), "prune: ", place,
            ": expected an id from 0 to ", vocabulary.size() - 1, ", got ", number);
      id = static_cast<int32_t>(number);
    } else {
      id = known_token(vocabulary, std::string(name), place);
    }
    if (count)
      out.counts.of[static_cast<size_t>(id)] += *count;
    else
      out.listed.push_back(id);
  }
  return out;
}

}  // namespace ink
