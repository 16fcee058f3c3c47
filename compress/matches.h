// Intermediate matches: which features of a student are to resemble which of its teacher.
//
//   {"layer_T": 4, "layer_S": 2, "feature": "hidden", "loss": "hidden_mse", "weight": 1,
//    "proj": ["linear", 128, 256]}
//   {"layer_T": [4, 4], "layer_S": [2, 2], "feature": "hidden", "loss": "nst"}
//   {"layer_T": 12, "layer_S": 3, "feature": "attention", "loss": "attention_mse",
//    "attention": "scores"}
//   {"layer_T": 12, "layer_S": 3, "feature": "relation", "loss": "minilm_value",
//    "relation_heads": 48}
//
// Layers are counted as transformers counts hidden states: 0 is what the embeddings put out, i what
// layer i does; attention i is that of layer i, so it is counted from 1. (transformers' list of
// attentions has layer 1 at place 0; the lists of TextBrewer's examples have nothing there.)
//
//   hidden     hidden_mse, cos, pkd: states, tokens one by one
//              fsp or gram, nst or mmd: Gram matrices of two layers, [int, int]
//   attention  attention_mse, attention_mse_sum, attention_ce, attention_ce_mean: maps of
//              attention, their scores, or with "attention": "probabilities" these
//   relation   minilm_query_key, minilm_value, minilm_query, minilm_key: softmax of q kᵀ, v vᵀ,
//              q qᵀ, k kᵀ over √D, in relation_heads heads (0: the layers' own)
//
// The losses are those of compress/losses/.
//
// A projection takes the student's states (N, student_size) to the teacher's width. It learns at
// the student's rate, or as a fourth entry of "proj" says: {"lr": 1e-3, "weight_decay": 0.1}, of
// which either may be missing. Its rate rises and falls with the student's.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/activation.h"
#include "tensor/json.h"

namespace ink {

enum class MatchLoss : uint8_t {
  hidden_mse,
  cos,
  pkd,
  fsp,
  nst,
  attention_mse,
  attention_mse_sum,
  attention_ce,
  attention_ce_mean,
  minilm_query_key,
  minilm_value,
  minilm_query,
  minilm_key
};
enum class MatchFeature : uint8_t { hidden, attention, relation };
enum class AttentionMaps : uint8_t { scores, probabilities };

const char* name_of(MatchLoss loss);
const char* name_of(MatchFeature feature);
MatchFeature feature_of(MatchLoss loss);
bool takes_pairs(MatchLoss loss);  // fsp and nst: of two layers
// Whether student and teacher need states of one width, by a projection if need be.
bool needs_one_width(MatchLoss loss);
// By name, gram and mmd included. Raises Error "where: unknown loss 'x'; did you mean …".
MatchLoss match_loss_from(const std::string& name, const std::string& where);

struct IntermediateMatch {
  int64_t layer_teacher = 0, layer_student = 0;  // layer_T, layer_S
  MatchLoss loss = MatchLoss::hidden_mse;
  double weight = 1;
  // The student's states pass through f(x Wᵀ + b) first, from student_size to teacher_size, where
  // the sizes are not 0: "proj": ["linear" or "relu" or "tanh", student_size, teacher_size].
  Activation projection = Activation::none;
  int64_t student_size = 0, teacher_size = 0;
  std::optional<double> projection_rate = {}, projection_decay = {};  // of its own
  bool projected() const { return student_size != 0; }
  // The second layers of fsp and nst.
  int64_t second_teacher = 0, second_student = 0;
  AttentionMaps attention = AttentionMaps::scores;  // what attention losses compare
  int64_t relation_heads = 0;                       // 0: as many as the layers have
  // "hidden_hidden_mse_1_2", student before teacher; of pairs "hidden_nst_1-1_2-2", as TextBrewer
  // logs them.
  std::string name() const;
};

IntermediateMatch match_from_json(const Json& json);
// All keys but layer_T and layer_S: what two layers, whichever they are, are compared by.
void read_comparison(const Json& json, IntermediateMatch& match);
void write_comparison(const IntermediateMatch& match, Json& json);
Json match_to_json(const IntermediateMatch& match);

// The value of "intermediate_matches": a list of matches and of names of presets, in any order, or
// one such name.
std::vector<IntermediateMatch> matches_from_json(const Json& object, std::string_view key);

// TextBrewer's lists by their names, for a BERT-base teacher (12 layers, 768 channels); weights are
// 1. L3, L4, L6 and small are students of 3, 4, 6 and 12 layers; L3n, L3l, L4t and small have
// projections from 384, 1024, 312 and 256 channels. smmd and sgram are nst and fsp of a layer with
// itself. Empty for an unknown name.
std::vector<IntermediateMatch> match_preset(std::string_view name);
std::vector<std::string_view> match_presets();

// What matches ask of one of the two models.
struct ModelSize {
  int64_t layers = 0, hidden = 0;
  // Of each layer, with heads of this size; empty where attention cannot be matched.
  std::vector<int64_t> heads = {};
  int64_t head_size = 0;
};
// Raises Error when a match names a layer that is not there, or sizes that do not fit without (or
// with) its projection.
void check_matches(const std::vector<IntermediateMatch>& matches, const ModelSize& teacher,
                   const ModelSize& student);

// Every student layer j, from 0, with teacher layer j·T/S (rounded down);
// linear projections where widths differ.
std::vector<IntermediateMatch> even_matches(const ModelSize& teacher, const ModelSize& student,
                                            MatchLoss loss = MatchLoss::hidden_mse,
                                            double weight = 1);

}  // namespace ink
