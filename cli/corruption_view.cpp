// Tokens by what became of them.
#include "cli/corruption_view.h"

namespace ink::cli {
namespace {

constexpr const char *kFaint = "\033[2m", *kInverse = "\033[7m", *kRed = "\033[31m",
                     *kGreen = "\033[32m", *kYellow = "\033[33m", *kPlain = "\033[0m";

std::string paint(const char* colour, std::string_view text) {
  return std::string(colour).append(text).append(kPlain);
}

Json spans_of(const Instance& instance) {
  Json spans = Json::make_array();
  for (const TokenWord& word : words_of(instance, true))
    spans.append(Json::make_array({word.begin, word.end}));
  return spans;
}

}  // namespace

std::vector<int32_t> CorruptionView::inputs() const {
  std::vector<int32_t> ids = corrupted.inputs;
  for (size_t i = 0; i < sampled.size(); ++i)
    ids[static_cast<size_t>(corrupted.positions[i])] = sampled[i];
  return ids;
}

Json CorruptionView::to_json() const {
  const auto strings = [&](const std::vector<int32_t>& ids) {
    Json list = Json::make_array();
    for (const int32_t id : ids) list.append(vocabulary.token(id));
    return list;
  };
  const auto numbers = [](const std::vector<int32_t>& values) {
    Json list = Json::make_array();
    for (const int32_t value : values) list.append(value);
    return list;
  };
  const bool local = !corrupted.places.empty() && objective.space != Space::global;
  Json out = Json::make_object(
      {{"tokens", strings(instance.ids)},
       {"input", strings(inputs())},
       {"words", spans_of(instance)},
       {"selected", numbers(corrupted.positions)},
       {"labels", local ? numbers(corrupted.places) : strings(corrupted.labels)}});
  if (local && objective.space == Space::both) out.set("label_tokens", strings(corrupted.labels));
  if (!sampled.empty()) {
    Json replaced = Json::make_array();
    for (size_t i = 0; i < sampled.size(); ++i) replaced.append(sampled[i] != corrupted.labels[i]);
    out.set("generator_input", strings(corrupted.inputs)).set("replaced", replaced);
  }
  if (!corrupted.ranks.empty()) out.set("ranks", numbers(corrupted.ranks));
  if (instance.pair_label != kIgnore) out.set("pair_label", instance.pair_label);
  return out;
}

std::string CorruptionView::legend(const Objective& o) {
  switch (o.task) {
    case TokenTask::masked:
      return paint(kInverse, "masked") + ' ' + paint(kRed, "random/original") + ' ' +
             paint(kYellow, "kept");
    case TokenTask::mac:
      return paint(kRed, "similar or random/original") + ' ' + paint(kYellow, "kept");
    case TokenTask::perlm:
      return paint(kGreen, "token→label") + ' ' + paint(kYellow, "token→its own place");
    case TokenTask::rtd:
      return paint(kRed, "replaced/original") + ' ' + paint(kYellow, "drawn, but original");
    case TokenTask::plm: return paint(kInverse, "target:rank");
  }
  fail("objective: unknown task ", static_cast<int>(o.task));
}

std::string CorruptionView::painted(size_t i, size_t selected, int32_t now) const {
  const std::string before(vocabulary.token(instance.ids[i])), after(vocabulary.token(now));
  if (!corrupted.ranks.empty())
    return paint(kInverse, before) + ':' + std::to_string(corrupted.ranks[i]);
  if (!corrupted.places.empty()) {
    const int32_t place = corrupted.places[selected];
    std::string label;
    if (objective.space != Space::global) label += std::to_string(place);
    if (objective.space != Space::local) label += before;
    return paint(place == static_cast<int32_t>(i) ? kYellow : kGreen, after + "→" + label);
  }
  if (now == vocabulary.mask()) return paint(kInverse, before);
  return now == instance.ids[i] ? paint(kYellow, before) : paint(kRed, after + '/' + before);
}

std::string CorruptionView::in_colour() const {
  const std::vector<int32_t> ids = inputs();
  std::string line;
  size_t next = 0;
  for (size_t i = 0; i < ids.size(); ++i) {
    if (!instance.continues[i] && i > 0) line += ' ';
    const bool selected =
        next < corrupted.positions.size() && corrupted.positions[next] == static_cast<int32_t>(i);
    if (selected)
      line += painted(i, next++, ids[i]);
    else
      line += instance.special[i] ? paint(kFaint, vocabulary.token(ids[i]))
                                  : std::string(vocabulary.token(ids[i]));
  }
  if (instance.pair_label == kIgnore) return line;
  const bool order = objective.pair_task == PairTask::sentence_order;
  const char* wrong = order ? "  (swapped)" : "  (B is random)";
  return line + (instance.pair_label ? wrong : order ? "  (in order)" : "  (B follows A)");
}

}  // namespace ink::cli
