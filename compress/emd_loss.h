// The earth mover's distance between the layers of a student and of its teacher:
//
//   Σ_ij F_ij·d_ij  +  d_00
//
// d_ij is the loss between layer i of the student and layer j of the teacher, from 1 on, and F the
// flow that carries the weights of the student's layers to those of the teacher's at the least cost
// (compress/transport.h). F is found anew for every batch and is a constant to the derivative, so
// that only pairs which something flows between are recorded. d_00 compares what the embeddings put
// out, where the feature is hidden (BERT-EMD, Li et al. 2020; TextBrewer's EMDDistiller).
//
// The weights of the layers are 1/L_S and 1/L_T. With cost attention they start so, and after each
// batch become softmax((Σ_k c_k / c_i) / temperature), c_i = Σ_j F_ij·d_ij / weight_i being what a
// unit of layer i costs to carry; of the student's layers and the teacher's alike. Layers that are
// cheap to match then count for more. Several teachers have weights of their own each, and only a
// batch that is recorded moves them, so that evaluations do not.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "compress/emd_match.h"
#include "compress/match_loss.h"
#include "compress/projection.h"
#include "nn/scope.h"
#include "tensor/tensor.h"

namespace ink {

struct LayerWeights {
  std::vector<double> student, teacher;
};
LayerWeights even_weights(int64_t student_layers, int64_t teacher_layers);

// What is carried between layers: L_S × L_T, row by row.
struct LayerFlow {
  std::vector<double> flow, costs;
};
// Costs that are not finite give an even flow, so that the loss is not finite either.
LayerFlow layer_flow(std::vector<double> costs, const LayerWeights& weights);
// The weights that cost attention makes of those before.
LayerWeights weights_by_cost(const LayerFlow& carried, const LayerWeights& before,
                             double temperature);

class EmdLoss {
 public:
  // Of a settled match. Makes the parameters scope/projection/{0, 1, …}/{weight, bias}, of the
  // embeddings and each layer, and with cost attention scope/{student, teacher}_weights
  // (teachers, layers): these are not trained, but kept in checkpoints with the others.
  EmdLoss(const EmdMatch& match, const Scope& scope, std::optional<double> student_rate,
          int64_t teachers = 1);

  struct Result {
    Tensor layers, embeddings;  // without the match's weight; the latter may be undefined
    LayerFlow carried;
  };
  // `number`: whose outputs `teacher` are, from 0.
  Result operator()(const ModelOutputs& student, const ModelOutputs& teacher,
                    const MatchContext& context, int64_t number = 0) const;

  // d_ij of layers from 1 on, row by row; not recorded.
  std::vector<double> costs(const ModelOutputs& student, const ModelOutputs& teacher,
                            const MatchContext& context) const;

  const EmdMatch& match() const { return match_; }

 private:
  Tensor distance(const ModelOutputs& student, const ModelOutputs& teacher, int64_t i, int64_t j,
                  const MatchContext& context) const;
  LayerWeights weights(int64_t number) const;
  void keep(const LayerWeights& weights, int64_t number) const;

  EmdMatch match_;
  int64_t teachers_;
  std::vector<Projection> projections_;
  Parameter *student_weights_ = nullptr, *teacher_weights_ = nullptr;  // null: always even
};

}  // namespace ink
