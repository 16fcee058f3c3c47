// EmdMatch: layers matched by the earth mover's distance, as a key of DistillationConfig.
//
//   "emd": {"feature": "hidden", "loss": "hidden_mse", "weight": 1, "proj": ["linear", 312, 768],
//           "cost_attention": false, "cost_temperature": 1}
//
// or a list of these, of hidden states and of attention, say. Every student layer resembles every
// teacher layer as far as an optimal transport between them says (compress/emd_loss.h; BERT-EMD, Li
// et al. 2020; TextBrewer's EMDDistiller). Keys other than cost_… are those of a match
// (compress/matches.h), which compares any two layers.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compress/matches.h"
#include "tensor/json.h"

namespace ink {

struct EmdMatch {
  IntermediateMatch pair = {};  // how two layers are compared; which, is not read
  bool cost_attention = false;
  double cost_temperature = 1;
  int64_t teacher_layers = 0, student_layers = 0;  // as settle_emd finds them

  std::string name() const;  // "emd_hidden_mse", as it is logged
  // How layer i of the student is compared with layer j of the teacher.
  IntermediateMatch between(int64_t student, int64_t teacher) const;
  // Hidden states are those of the embeddings too.
  bool compares_embeddings() const { return feature_of(pair.loss) == MatchFeature::hidden; }
};

EmdMatch emd_from_json(const Json& json);
Json emd_to_json(const EmdMatch& match);
// The value of "emd": one or a list; none where the key is missing.
std::vector<EmdMatch> emds_from_json(const Json& object, std::string_view key);

// Takes over how many layers the models have. Raises Error where two of them cannot be compared so.
void settle_emd(EmdMatch& match, const ModelSize& teacher, const ModelSize& student);

}  // namespace ink
