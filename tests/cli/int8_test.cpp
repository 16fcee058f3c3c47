// --dtype int8: embed, predict and evaluate, near what they say in f32.
#include <cmath>

#include "tensor/safetensors.h"
#include "tests/cli/small_classifier.h"

namespace ink {
namespace {

class Int8Program : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    save_small_classifier(folder_);
  }
  Tensor embeddings(const std::string& options) const {
    const Finished f = run("embed --model teacher --out e.safetensors " + options, "砚台\n墨\n");
    EXPECT_EQ(f.status, 0) << f.error;
    return clone(SafeTensors(folder_ / "e.safetensors").tensor("embeddings"));
  }
};

TEST_F(Int8Program, EmbedsNearF32) {
  const Tensor exact = embeddings("--normalize"), x = embeddings("--normalize --dtype int8");
  ASSERT_EQ(x.shape(), exact.shape());
  EXPECT_FALSE(equal_bits(x, exact));
  for (int64_t row = 0; row < 2; ++row) {
    double cosine = 0;
    for (int64_t i = row * 16; i < row * 16 + 16; ++i)
      cosine += double{x.data<float>()[i]} * exact.data<float>()[i];
    EXPECT_GT(cosine, 0.999);
  }
}

TEST_F(Int8Program, PredictsAndEvaluates) {
  const auto probability = [&](const std::string& options) {
    const Finished f = run("predict --model teacher " + options, "砚台好\n");
    EXPECT_EQ(f.status, 0) << f.error;
    return parse_json(f.out, "predict").real("probability");
  };
  const double exact = probability(""), near = probability("--dtype int8");
  EXPECT_NE(near, exact);
  EXPECT_NEAR(near, exact, 0.01);
  const Finished f = run("evaluate --model teacher --data train.tsv --dtype int8 --json");
  EXPECT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find("\"accuracy\""), std::string::npos) << f.out;
}

TEST_F(Int8Program, HelpSaysWhatIsQuantised) {
  EXPECT_NE(run("embed --help").out.find("f32|f16|bf16|int8"), std::string::npos);
  EXPECT_EQ(run("finetune --help").out.find("int8"), std::string::npos);
}

}  // namespace
}  // namespace ink
