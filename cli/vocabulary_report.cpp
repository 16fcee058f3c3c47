// What pruning a vocabulary has done, as lines for people and as results for --json.
#include "cli/vocabulary_report.h"

#include <algorithm>
#include <cstdio>

#include "cli/format.h"
#include "cli/terminal.h"

namespace ink::cli {
namespace {

constexpr size_t kShown = 8;  // dropped tokens

double mebibytes(int64_t parameters) { return 4 * static_cast<double>(parameters) / (1 << 20); }

void print_kinds(const VocabularyPruneResult& r) {
  for (size_t kind = 0; kind < r.kinds.size(); ++kind) {
    const auto [kept, dropped] = r.kinds[kind];
    if (kept + dropped > 0)
      std::printf("    %-13s %8ld kept %8ld dropped\n", kTokenKinds[kind], kept, dropped);
  }
}

void print_text(const TextComparison& c) {
  std::printf("  tokens of the text: %ld, before %ld; lines cut otherwise: %ld of %ld\n",
              c.tokens_after, c.tokens_before, c.lines_cut_otherwise, c.lines);
  std::printf("  unknown:            %.3f %%, before %.3f %%\n",
              percent(c.unknown_after, c.tokens_after), percent(c.unknown_before, c.tokens_before));
}

}  // namespace

void print_vocabulary_report(const VocabularyPruneResult& r) {
  std::printf("  tokens:             %ld of %ld\n", r.tokens_after, r.tokens_before);
  print_kinds(r);
  if (r.rows_before > r.tokens_before)
    std::printf("  rows without token: %ld dropped\n", r.rows_before - r.tokens_before);
  if (r.counted > 0)
    std::printf("  coverage:           %.4f %% of %ld tokens\n", 100 * r.coverage(), r.counted);
  if (r.comparison) print_text(*r.comparison);
  if (!r.most_frequent_dropped.empty()) {
    std::printf("  most frequent dropped:");
    for (size_t i = 0; i < std::min(kShown, r.most_frequent_dropped.size()); ++i)
      std::printf(" %s (%ld)", printable(r.most_frequent_dropped[i].token).c_str(),
                  r.most_frequent_dropped[i].count);
    std::printf("\n");
  }
  std::printf("  size:               %.1f of %.1f MiB in f32\n", mebibytes(r.parameters_after),
              mebibytes(r.parameters_before));
}

Json vocabulary_results(const VocabularyPruneResult& r) {
  Json json = Json::make_object({{"parameters_before", r.parameters_before},
                                 {"parameters_after", r.parameters_after},
                                 {"tokens_before", r.tokens_before},
                                 {"tokens_after", r.tokens_after},
                                 {"coverage", r.coverage()}});
  if (const auto& c = r.comparison)
    json.set("lines_cut_otherwise", c->lines_cut_otherwise)
        .set("unknown_before", c->unknown_before)
        .set("unknown_after", c->unknown_after)
        .set("text_tokens_before", c->tokens_before)
        .set("text_tokens_after", c->tokens_after);
  return json;
}

}  // namespace ink::cli
