// Gradients that nobody wants are not computed.
#include <memory>
#include <set>
#include <string>

#include "tests/ops/outcome.h"

namespace ink {
namespace {

// Watches tensors of tape 1 and keeps the step of the last op.
class Keeper final : public Recorder {
 public:
  Keeper() : outer_(std::exchange(current, this)) {}
  ~Keeper() override { current = outer_; }
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  GradId resolve(GradId id) override { return id; }
  GradId record(std::unique_ptr<Step> last) override {
    step = std::move(last);
    return {1, 99};
  }
  std::unique_ptr<Step> step;

 private:
  Recorder* outer_;
};

// What the step of a call returns when input k alone is watched.
Grads gradients_when_only(const Sample& s, size_t k) {
  std::vector<Tensor> in = s.in;
  in[k].grad_id = {1, 1};
  Keeper keeper;
  const Tensor y = s.call(in);
  const Pause pause;
  return keeper.step->backward(fixed_dy(y));
}

TEST(Wanted, OpsOfSeveralTensorsComputeNothingElse) {
  const std::set<std::string> ops = {"add",
                                     "subtract",
                                     "multiply",
                                     "divide",
                                     "matmul",
                                     "linear",
                                     "mse_loss",
                                     "cosine_loss",
                                     "layer_norm",
                                     "residual_layer_norm",
                                     "dropout_residual_layer_norm",
                                     "attention",
                                     "linear_cross_entropy"};
  size_t met = 0;
  for (const OpEntry& op : all_ops()) {
    if (!ops.contains(op.name)) continue;
    ++met;
    const Sample s = op.samples()[2];
    for (size_t k = 0; k < s.in.size(); ++k) {
      if (!is_float(s.in[k].dtype())) continue;
      const Grads gradients = gradients_when_only(s, k);
      ASSERT_EQ(gradients.size(), s.in.size()) << op.name;
      for (size_t i = 0; i < gradients.size(); ++i)
        EXPECT_EQ(static_cast<bool>(gradients[i]), i == k)
            << op.name << ": gradient " << i << " when only input " << k << " is watched";
    }
  }
  EXPECT_EQ(met, ops.size());
}

}  // namespace
}  // namespace ink
