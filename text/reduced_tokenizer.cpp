// A tokenizer with fewer tokens: the same in everything but what is cut out of its vocabulary.
#include "text/reduced_tokenizer.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"

namespace ink {
namespace {

WordPiece reduced_model(const WordPiece& model, const Vocabulary& vocabulary, const Vocabulary&,
                        const KeptTokens& kept) {
  const auto own = std::ranges::lower_bound(kept.ids(), model.own()) - kept.ids().begin();
  return WordPiece(vocabulary, static_cast<int32_t>(own), model.options());
}

ByteBpe reduced_model(const ByteBpe& model, const Vocabulary& vocabulary, const Vocabulary& before,
                      const KeptTokens& kept) {
  std::string lines, both;
  for (const auto& [left, right] : model.merges()) {
    both.assign(before.token(left)).append(before.token(right));
    if (!kept.has(left) || !kept.has(right) || !kept.has(*before.find(both))) continue;
    lines.append(before.token(left)).append(1, ' ').append(before.token(right)).append(1, '\n');
  }
  return ByteBpe(vocabulary, lines, model.options());
}

Unigram reduced_model(const Unigram& model, const Vocabulary& vocabulary, const Vocabulary&,
                      const KeptTokens& kept) {
  std::vector<double> scores;
  for (const int32_t id : kept.ids())
    if (static_cast<size_t>(id) < model.scores().size())
      scores.push_back(model.scores()[static_cast<size_t>(id)]);
  return Unigram(vocabulary, std::move(scores), *kept.new_id(model.unknown()), model.options());
}

void check_complete(const TokenizerParts& parts, const KeptTokens& kept) {
  check(kept.before() == parts.vocabulary.size(), "tokenizer: expected a choice among ",
        parts.vocabulary.size(), " tokens, got one among ", kept.before());
  const TokenSet needed = indispensable_tokens(parts);
  for (size_t id = 0; id < needed.size(); ++id)
    check(!needed[id] || kept.has(static_cast<int64_t>(id)), "tokenizer: it cannot do without '",
          parts.vocabulary.token(static_cast<int32_t>(id)), "' (id ", id, "); keep it");
}

}  // namespace

KeptTokens::KeptTokens(const TokenSet& set) : new_ids_(set.size(), -1) {
  for (size_t id = 0; id < set.size(); ++id) {
    if (!set[id]) continue;
    new_ids_[id] = size();
    ids_.push_back(static_cast<int32_t>(id));
  }
}

std::optional<int32_t> KeptTokens::new_id(int64_t old_id) const {
  if (old_id < 0 || old_id >= before()) return std::nullopt;
  const int32_t id = new_ids_[static_cast<size_t>(old_id)];
  return id < 0 ? std::nullopt : std::optional(id);
}

TokenizerParts reduced(const TokenizerParts& parts, const KeptTokens& kept) {
  check_complete(parts, kept);
  const Vocabulary& before = parts.vocabulary;
  std::vector<std::string> tokens;
  for (const int32_t id : kept.ids()) tokens.emplace_back(before.token(id));
  Vocabulary vocabulary(std::exchange(tokens, {}), before.special_tokens(), "the kept tokens");
  auto model = std::visit(
      [&](const auto& one) -> std::variant<WordPiece, ByteBpe, Unigram> {
        return reduced_model(one, vocabulary, before, kept);
      },
      parts.model);
  TokenizerParts out{std::move(vocabulary), parts.normalizer, std::move(model),
                     parts.frame,           parts.added,      parts.config};
  for (auto* frame : {&out.frame.single, &out.frame.pair})
    for (TemplatePart& part : *frame)
      if (part.kind == TemplatePart::Kind::token) part.id = *kept.new_id(part.id);
  for (AddedToken& token : out.added) token.id = *kept.new_id(token.id);
  return out;
}

}  // namespace ink
