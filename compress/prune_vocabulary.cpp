// Pruning the vocabulary: counting, choosing, cutting, and an account of it.
#include "compress/prune_vocabulary.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "compress/result_folder.h"
#include "compress/vocabulary_surgery.h"
#include "nn/model_folder.h"
#include "tasks/classification.h"
#include "tasks/save_folder.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/temporary_folder.h"

namespace ink {
namespace {

constexpr size_t kMostExamples = 50;  // of dropped tokens, in the account

void check_head(const Model& model, LmHeadPruning wanted) {
  if (wanted == LmHeadPruning::required)
    check(model.masked_lm.has_value(),
          "prune: prune_lm_head is true, but the model has no output layer over the vocabulary; "
          "expected \"auto\" or false");
  if (wanted == LmHeadPruning::refused)
    check(!model.masked_lm.has_value(), "prune: prune_lm_head is false, but ",
          model.masked_lm->bias.name, " would keep ", model.config.vocab_size,
          " tokens, more than the vocabulary has left, and the model could not be loaded; "
          "expected \"auto\" or true");
}

void add(const TokenCounts& some, TokenCounts& all) {
  for (size_t id = 0; id < all.of.size(); ++id) all.of[id] += some.of[id];
  all.lines += some.lines;
}

std::string percent(int64_t part, int64_t whole) {
  const double share = whole ? 100.0 * static_cast<double>(part) / static_cast<double>(whole) : 0;
  std::ostringstream text;
  text << std::fixed << std::setprecision(3) << share << " %";
  return text.str();
}

void warn_of_unknown(const VocabularyPlan& plan, const Notice& notice) {
  if (!notice || !plan.comparison) return;
  const TextComparison& c = *plan.comparison;
  if (c.unknown_after <= c.unknown_before) return;
  notice("more of the text is unknown than before: " + percent(c.unknown_after, c.tokens_after) +
         " of its tokens instead of " + percent(c.unknown_before, c.tokens_before) +
         "; \"characters\": \"seen\" keeps what spells it");
}

VocabularyPruneResult summarize(const VocabularyPlan& plan) {
  VocabularyPruneResult r{.tokens_before = plan.kept.before(),
                          .tokens_after = plan.kept.size(),
                          .comparison = plan.comparison};
  const Vocabulary& vocabulary = plan.before.vocabulary();
  const std::vector<TokenKind> kinds = token_kinds(plan.before.parts());
  std::vector<int32_t> dropped;
  for (int32_t id = 0; id < vocabulary.size(); ++id) {
    const int64_t count = plan.counts.of[static_cast<size_t>(id)];
    auto& kind = r.kinds[static_cast<size_t>(kinds[static_cast<size_t>(id)])];
    const bool stays = plan.kept.has(id);
    ++(stays ? kind.kept : kind.dropped);
    r.counted += count;
    if (stays)
      r.counted_kept += count;
    else if (count > 0)
      dropped.push_back(id);
  }
  std::ranges::stable_sort(dropped, std::ranges::greater{},
                           [&](int32_t id) { return plan.counts.of[static_cast<size_t>(id)]; });
  for (size_t i = 0; i < std::min(kMostExamples, dropped.size()); ++i)
    r.most_frequent_dropped.push_back({std::string(vocabulary.token(dropped[i])),
                                       plan.counts.of[static_cast<size_t>(dropped[i])]});
  return r;
}

Json before_and_after(int64_t before, int64_t after) {
  return Json::make_object({{"before", before}, {"after", after}});
}

Json to_json(const VocabularyPruneResult& r) {
  Json kinds = Json::make_object(), dropped = Json::make_array();
  for (size_t kind = 0; kind < r.kinds.size(); ++kind)
    kinds.set(kTokenKinds[kind], Json::make_object({{"kept", r.kinds[kind].kept},
                                                    {"dropped", r.kinds[kind].dropped}}));
  for (const auto& [token, count] : r.most_frequent_dropped)
    dropped.append(Json::make_array({token, count}));
  Json json = Json::make_object({{"tokens", before_and_after(r.tokens_before, r.tokens_after)},
                                 {"rows", before_and_after(r.rows_before, r.tokens_after)},
                                 {"kinds", std::move(kinds)},
                                 {"occurrences", r.counted},
                                 {"coverage", r.coverage()},
                                 {"most_frequent_dropped", std::move(dropped)}});
  if (const auto& c = r.comparison)
    json.set("text", Json::make_object(
                         {{"lines", c->lines},
                          {"lines_cut_otherwise", c->lines_cut_otherwise},
                          {"tokens", before_and_after(c->tokens_before, c->tokens_after)},
                          {"unknown", before_and_after(c->unknown_before, c->unknown_after)}}));
  json.set("parameters", before_and_after(r.parameters_before, r.parameters_after));
  json.set("bytes", before_and_after(4 * r.parameters_before, 4 * r.parameters_after));
  return json;
}

void write_account(const VocabularyPruneOptions& options, const VocabularyPlan& plan,
                   const VocabularyPruneResult& result) {
  Json json = Json::make_object({{"config", options.config.to_json()}});
  const Json figures = to_json(result);
  for (const auto& [key, value] : figures.members()) json.set(key, value);
  json.set("kept_ids", Json::make_array({plan.kept.ids().begin(), plan.kept.ids().end()}));
  write_file(options.out / "vocabulary_pruning.json", json.to_string() + '\n');
}

}  // namespace

double VocabularyPruneResult::coverage() const {
  return counted ? static_cast<double>(counted_kept) / static_cast<double>(counted) : 1;
}

VocabularyPlan plan_vocabulary(const VocabularyPruneOptions& options, const Model& model,
                               const Notice& notice) {
  check_head(model, options.config.prune_lm_head);
  check(!options.texts.empty() || !options.tokens.empty(),
        "prune: expected texts (--text) or a file of tokens, ids or counts (--tokens) that says "
        "what the vocabulary is for");
  Tokenizer before = load_tokenizer(options.model, model.config);
  TokenFile file{{}, {std::vector<int64_t>(static_cast<size_t>(before.vocabulary().size()))}};
  if (!options.tokens.empty()) file = read_token_file(options.tokens, before.vocabulary());
  std::optional<Corpus> corpus;
  if (!options.texts.empty()) {
    corpus = Corpus::open(options.texts);
    add(count_tokens(before, *corpus), file.counts);
  }
  TokenSet needed = indispensable_tokens(before.parts());
  const TokenSet of_model = tokens_of_model(model.config, before.vocabulary().size());
  for (size_t id = 0; id < needed.size(); ++id) needed[id] |= of_model[id];
  KeptTokens kept(choose_tokens(before.parts(), needed, options.config, file.listed, file.counts));
  Tokenizer after(reduced(before.parts(), kept));
  VocabularyPlan plan{std::move(before), std::move(after), std::move(kept), std::move(file.counts),
                      std::nullopt};
  if (corpus) plan.comparison = compare_on(*corpus, plan.before, plan.after, plan.kept);
  warn_of_unknown(plan, notice);
  return plan;
}

VocabularyPruneResult save_with_vocabulary(const VocabularyPruneOptions& options,
                                           const VocabularyPlan& plan, const Model& original,
                                           const Model& model, const Notice& notice) {
  const TemporaryFolder tokenizer;
  write_reduced_files(options.model, tokenizer.path(), plan.before.parts(), plan.kept);
  const Model smaller = with_vocabulary(model, plan.kept);
  VocabularyPruneResult result = summarize(plan);
  result.rows_before = original.config.vocab_size;
  result.parameters_before = original.parameters.elements();
  result.parameters_after = smaller.parameters.elements();
  save_folder(smaller, options.out, tokenizer.path(), Dtype::f32, notice);
  write_account(options, plan, result);
  return result;
}

VocabularyPruneResult prune_vocabulary(const VocabularyPruneOptions& options,
                                       const Notice& notice) {
  check_result_folder(options.model, options.out);
  const Model model = load_model(options.model, {.notice = notice});
  const VocabularyPlan plan = plan_vocabulary(options, model, notice);
  return save_with_vocabulary(options, plan, model, model, notice);
}

}  // namespace ink
