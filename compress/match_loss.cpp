// The loss of one match: from its name and its layers to the functions in losses/.
#include "compress/match_loss.h"

#include "compress/losses/attention.h"
#include "compress/losses/gram.h"
#include "compress/losses/hidden.h"
#include "tensor/error.h"

namespace ink {
namespace {

using Project = std::function<Tensor(const Tensor&)>;

// Of what a loss is a mean.
double sequences_of(const Sequences& of) { return static_cast<double>(of.count()); }
double tokens_of(const Sequences& of) { return static_cast<double>(of.tokens()); }
double pairs_of(const Sequences& of) { return of.pairs(); }

// The mean over a batch of what `loss` says of each group of its sequences. Together they are on
// the CUDA device, where more launches would cost more than the padding that they save, and where
// padding counts, in TextBrewer's forms.
template <class Loss>
Tensor over_groups(const MatchContext& context, const Tensor& states,
                   double (*count)(const Sequences&), Loss&& loss) {
  const bool together = context.compatible || states.device() == Device::cuda;
  if (together || context.groups.size() <= 1) return loss(context.sequences);
  Tensor mean;
  for (const Sequences& group : context.groups) {
    const Tensor part = scale(loss(group), count(group) / count(context.sequences));
    mean = mean ? add(mean, part) : part;
  }
  return mean;
}

const Tensor& hidden_at(const ModelOutputs& features, int64_t layer, const char* whose) {
  check(layer < static_cast<int64_t>(features.hidden.size()), "distill: expected hidden layer ",
        layer, " of the ", whose, ", got ", features.hidden.size(), " layers");
  return features.hidden[static_cast<size_t>(layer)];
}

Tensor projected(const Tensor& states, const Project& project) {
  return project ? project(states) : states;
}

LayerPair pair_of(const ModelOutputs& features, int64_t first, int64_t second, const char* whose,
                  const Project& project) {
  LayerPair pair{.first = projected(hidden_at(features, first, whose), project)};
  if (first != second) pair.second = projected(hidden_at(features, second, whose), project);
  return pair;
}

Tensor hidden_match(const IntermediateMatch& m, const ModelOutputs& student,
                    const ModelOutputs& teacher, const MatchContext& context,
                    const Project& project) {
  if (takes_pairs(m.loss)) {
    const LayerPair s = pair_of(student, m.layer_student, m.second_student, "student", project);
    const LayerPair t = pair_of(teacher, m.layer_teacher, m.second_teacher, "teacher", {});
    const bool channels = m.loss == MatchLoss::fsp;
    return over_groups(context, s.first, channels ? sequences_of : pairs_of,
                       [&](const Sequences& group) {
                         return channels ? fsp_loss(s, t, group) : nst_loss(s, t, group);
                       });
  }
  const Tensor s = projected(hidden_at(student, m.layer_student, "student"), project);
  const Tensor& t = hidden_at(teacher, m.layer_teacher, "teacher");
  if (m.loss == MatchLoss::hidden_mse) return hidden_mse_loss(s, t);
  return m.loss == MatchLoss::cos ? hidden_cos_loss(s, t) : pkd_loss(s, t, context.offsets);
}

// What scores of a layer are made of.
struct Layer {
  const AttentionInputs& inputs;
  int64_t heads;
};

Layer attention_at(const ModelOutputs& features, int64_t layer, const char* whose) {
  const auto layers = static_cast<int64_t>(features.attention.size());
  check(layer >= 1 && layer <= layers && features.heads.size() == features.attention.size(),
        "distill: expected attention layer ", layer, " of the ", whose, ", got ", layers,
        " layers");
  const auto at = static_cast<size_t>(layer - 1);
  return {features.attention[at], features.heads[at]};
}

Tensor attention_match(const IntermediateMatch& m, const Layer& student, const Layer& teacher,
                       const MatchContext& context) {
  const bool probabilities = m.attention == AttentionMaps::probabilities;
  const auto maps = [&](const Layer& layer, const Sequences& group) {
    const Tensor scores =
        attention_scores(layer.inputs.query, layer.inputs.key, layer.heads, group);
    return probabilities ? attention_probabilities(scores) : scores;
  };
  const AttentionLossOptions options{
      .over_heads =
          m.loss == MatchLoss::attention_mse_sum || m.loss == MatchLoss::attention_ce_mean,
      .distributions = probabilities && !context.compatible,
      .negative_as_zero = context.compatible && !context.inputs_mask};
  const bool squares = m.loss == MatchLoss::attention_mse || m.loss == MatchLoss::attention_mse_sum;
  return over_groups(context, student.inputs.query, squares ? pairs_of : tokens_of,
                     [&](const Sequences& group) {
                       const Tensor s = maps(student, group), t = maps(teacher, group);
                       return squares ? attention_mse_loss(s, t, group, options)
                                      : attention_ce_loss(s, t, group, options);
                     });
}

Tensor relation_match(const IntermediateMatch& m, const Layer& student, const Layer& teacher,
                      const MatchContext& context) {
  const auto scores = [&](const Layer& layer, const Sequences& group) {
    const AttentionInputs& of = layer.inputs;
    const bool keys = m.loss == MatchLoss::minilm_key, values = m.loss == MatchLoss::minilm_value;
    const Tensor& x = keys ? of.key : values ? of.value : of.query;
    const Tensor& y = m.loss == MatchLoss::minilm_query_key ? of.key : x;
    return attention_scores(x, y, m.relation_heads > 0 ? m.relation_heads : layer.heads, group);
  };
  return over_groups(context, student.inputs.query, tokens_of, [&](const Sequences& group) {
    return relation_loss(scores(student, group), scores(teacher, group), group);
  });
}

}  // namespace

Tensor match_loss(const IntermediateMatch& match, const ModelOutputs& student,
                  const ModelOutputs& teacher, const MatchContext& context,
                  const std::function<Tensor(const Tensor&)>& project) {
  if (feature_of(match.loss) == MatchFeature::hidden)
    return hidden_match(match, student, teacher, context, project);
  const Layer s = attention_at(student, match.layer_student, "student"),
              t = attention_at(teacher, match.layer_teacher, "teacher");
  return feature_of(match.loss) == MatchFeature::attention ? attention_match(match, s, t, context)
                                                           : relation_match(match, s, t, context);
}

}  // namespace ink
