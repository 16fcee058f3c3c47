// One whole step of TextBrewer's GeneralDistiller on two BERT classifiers, in f64: every part of
// the loss, and the gradients of the student and of the projections.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "autograd/tape.h"
#include "compress/distillation_loss.h"
#include "compress/losses/attention.h"
#include "compress/losses/gram.h"
#include "compress/losses/hidden.h"
#include "nn/model_folder.h"
#include "tensor/file.h"
#include "tensor/ops.h"
#include "tensor/safetensors.h"
#include "tests/compress/helpers.h"
#include "tests/nn/golden_weights.h"

namespace ink {
namespace {

Model model_in_f64(const std::string& name) {
  Model model = load_model(runs_of("textbrewer") / name);
  for (Parameter& p : model.parameters) p.value = converted(p.value, Dtype::f64);
  return model;
}

// TextBrewer counts the attention of layer 1 as 0 where it is given transformers' list.
Json with_attention_from_one(const Json& config, const char* maps) {
  Json all = Json::make_array();
  for (Json match : config.array("intermediate_matches").items()) {
    if (match.string("feature") == "attention")
      match.set("layer_T", match.integer("layer_T") + 1)
          .set("layer_S", match.integer("layer_S") + 1)
          .set("attention", maps);
    all.append(match);
  }
  Json result = config;
  return result.set("intermediate_matches", std::move(all));
}

class TextBrewersStep : public ::testing::Test {
 protected:
  // Rows of the padded batch's tokens, sequence by sequence.
  std::vector<int32_t> row(const char* name, int64_t b, bool padded = false) const {
    const Tensor mask = file.tensor("batch.attention_mask"),
                 values = file.tensor(std::string("batch.") + name);
    std::vector<int32_t> kept;
    for (int64_t i = b * mask.dim(1); i < (b + 1) * mask.dim(1); ++i)
      if (padded || mask.data<int32_t>()[i]) kept.push_back(values.data<int32_t>()[i]);
    return kept;
  }
  Packed packed() const {
    std::vector<std::vector<int32_t>> ids, segments;
    for (int64_t b = 0; b < labels.dim(0); ++b) {
      ids.push_back(row("input_ids", b));
      segments.push_back(row("token_type_ids", b));
    }
    return pack(ids, segments);
  }
  ValueSource projections() const {
    return [this](const std::string& name, const Shape&, const Initial&) {
      // "projection.0.weight" is "projection0.weight" in the file
      return clone(file.tensor("projection" + name.substr(std::string("projection.").size())));
    };
  }

  void expect_part(const std::string& variant, const std::string& name, double value) const {
    EXPECT_NEAR(value, runs["steps"][variant]["logged"].real(name), 1e-12 * std::max(1.0, value))
        << variant << ' ' << name;
  }
  void expect_gradients(const std::string& variant, const Parameters& parameters,
                        const Gradients& gradients) const {
    size_t compared = 0;
    for (const Parameter& p : parameters) {
      std::string name = p.name;
      if (name.starts_with("projection.")) name.erase(std::string("projection").size(), 1);
      const Tensor wanted = file.tensor(variant + ".grad." + name);
      ASSERT_TRUE(gradients[p.value]) << p.name;
      Tensor gradient = clone(gradients[p.value]);
      // torch has no gradient for the embedding of padding
      if (name == "bert.embeddings.word_embeddings.weight")
        std::fill_n(gradient.data<double>(), gradient.dim(1), 0.0);
      // the file holds them in f32
      EXPECT_LT(distance(gradient, wanted), 1e-7 * testing::largest(wanted) + 1e-12)
          << variant << ' ' << p.name;
      ++compared;
    }
    EXPECT_EQ(compared, 5u + 2 * 16 + 4 + 6);
  }

  // A packed batch, through the encoder and DistillationLoss.
  void expect_step(const std::string& variant, const char* maps) const {
    const Json& run = runs["steps"][variant];
    Json json = with_attention_from_one(run.object("config"), maps);
    const DistillationConfig config = DistillationConfig::from_json(json.set("compatible", true));
    const Model teacher = model_in_f64("teacher");
    Model student = model_in_f64("student");
    const DistillationLoss loss(config, Scope(student.parameters, projections()));
    const Packed batch = packed();
    const auto outputs = [&](const Model& model) -> ModelOutputs {
      Encoded e = model.body(batch, {.all_hidden = true, .attention_inputs = true});
      return {.logits = model.classification->logits(model.summary(e.hidden, batch.offsets)),
              .hidden = std::move(e.all_hidden),
              .attention = std::move(e.attention),
              .heads = model.config.heads_per_layer};
    };
    const ModelOutputs wanted = outputs(teacher);
    Tape tape;
    tape.watch(student.parameters);
    const DistillationLoss::Result result =
        loss(outputs(student), wanted, {.labels = labels, .offsets = batch.offsets}, 0, 1);
    expect_part(variant, "total_loss", result.total.item());
    const Json::Members& logged = run.object("logged").members();
    ASSERT_EQ(result.parts.size() + 1, logged.size());
    for (size_t i = 0; i < result.parts.size(); ++i)  // in TextBrewer's order
      expect_part(variant, logged[i + 1].key, result.parts[i].value.item());
    expect_gradients(variant, student.parameters, tape.backward(result.total));
  }

  const SafeTensors file{runs_of("textbrewer") / "step.safetensors"};
  const Json runs =
      parse_json(read_file(runs_of("textbrewer") / "runs.json", 1 << 24), "runs.json");
  const Tensor labels = file.tensor("batch.labels");
};

TEST_F(TextBrewersStep, ProbabilitiesWithAMask) { expect_step("probs_mask", "probabilities"); }
TEST_F(TextBrewersStep, ScoresWithAMask) { expect_step("scores_mask", "scores"); }

// A batch with padding, as it exists in this test alone: B sequences of L tokens, of which
// attention does not look at the padding.
struct Padded {
  Tensor ids = {}, segments = {}, mask = {};  // (B·L), (B·L), 0 or −10000 (B, 1, 1, L)
  int64_t B = 0, L = 0;
};

struct PaddedOutputs {
  Tensor logits = {};
  std::vector<Tensor> hidden = {}, probabilities = {};  // (B·L, C), (B, H, L, L)
};

PaddedOutputs encode(const Model& model, const Padded& batch) {
  const auto value = [&](const std::string& name) { return model.parameters.at(name).value; };
  const auto dense = [&](const Tensor& x, const std::string& name,
                         Activation f = Activation::none) {
    return linear(x, value(name + ".weight"), value(name + ".bias"), f);
  };
  const auto norm = [&](const Tensor& x, const std::string& name) {
    return layer_norm(x, value(name + ".weight"), value(name + ".bias"));
  };
  const int64_t C = model.config.hidden_size, H = 4, D = C / H;
  std::vector<int32_t> places, first;
  for (int32_t n = 0; n < batch.B * batch.L; ++n)
    places.push_back(n % static_cast<int32_t>(batch.L));
  for (int32_t b = 0; b < batch.B; ++b) first.push_back(b * static_cast<int32_t>(batch.L));
  const std::string e = "bert.embeddings.";
  Tensor x = add(add(embedding(value(e + "word_embeddings.weight"), batch.ids),
                     embedding(value(e + "position_embeddings.weight"), from(places))),
                 embedding(value(e + "token_type_embeddings.weight"), batch.segments));
  x = norm(x, e + "LayerNorm");
  PaddedOutputs out{.hidden = {x}};
  for (int64_t i = 0; i < model.config.layers(); ++i) {
    const std::string layer = "bert.encoder.layer." + std::to_string(i) + '.';
    const auto heads = [&](const char* name) {
      return transpose(
          reshape(dense(x, layer + "attention.self." + name), {batch.B, batch.L, H, D}), 1, 2);
    };
    const Tensor scores = scale(matmul(heads("query"), heads("key"), false, true),
                                1 / std::sqrt(static_cast<double>(D)));
    out.probabilities.push_back(softmax(add(scores, batch.mask)));
    const Tensor mixed = reshape(transpose(matmul(out.probabilities.back(), heads("value")), 1, 2),
                                 {batch.B * batch.L, C});
    x = norm(add(dense(mixed, layer + "attention.output.dense"), x),
             layer + "attention.output.LayerNorm");
    const Tensor y =
        dense(dense(x, layer + "intermediate.dense", Activation::gelu), layer + "output.dense");
    x = norm(add(y, x), layer + "output.LayerNorm");
    out.hidden.push_back(x);
  }
  const Tensor pooled = dense(gather_rows(x, from(first)), "bert.pooler.dense", Activation::tanh);
  out.logits = dense(pooled, "classifier");
  return out;
}

// Without an inputs_mask TextBrewer compares states of padding too. No packed batch has these, but
// the losses are the same functions of sequences of one length.
TEST_F(TextBrewersStep, ProbabilitiesWithoutAMask) {
  const Model teacher = model_in_f64("teacher");
  Model student = model_in_f64("student");
  const Scope root(student.parameters, projections());
  std::vector<std::pair<Tensor, Tensor>> projection;
  for (const int64_t i : {0, 1, 2}) {
    const Scope scope = root / "projection" / i;
    const Tensor weight = scope.param("weight", {48, 24}, {}).value;
    projection.emplace_back(weight, scope.param("bias", {48}, {}).value);
  }
  const Tensor mask = file.tensor("batch.attention_mask");
  Padded batch{.mask = Tensor({mask.dim(0), 1, 1, mask.dim(1)}, Dtype::f64),
               .B = mask.dim(0),
               .L = mask.dim(1)};
  batch.ids = reshape(file.tensor("batch.input_ids"), {-1});
  batch.segments = reshape(file.tensor("batch.token_type_ids"), {-1});
  std::vector<int32_t> offsets;
  for (int64_t n = 0; n < mask.size(); ++n)
    batch.mask.data<double>()[n] = mask.data<int32_t>()[n] ? 0 : -10000;
  for (int32_t b = 0; b <= batch.B; ++b) offsets.push_back(b * static_cast<int32_t>(batch.L));
  const Sequences sequences(from(offsets));

  const std::string variant = "probs_nomask";
  const PaddedOutputs t = encode(teacher, batch);
  Tape tape;
  tape.watch(student.parameters);
  const PaddedOutputs s = encode(student, batch);
  std::map<std::string, Tensor> parts;
  parts["kd_loss"] = kd_loss(s.logits, t.logits, KdLoss::ce, 8);
  for (size_t i = 0; i < 3; ++i) {
    const Parameter& weight = student.parameters.at("projection." + std::to_string(i) + ".weight");
    const Parameter& bias = student.parameters.at("projection." + std::to_string(i) + ".bias");
    const std::string S = std::to_string(i), T = std::to_string(2 * i);
    const Tensor &hs = s.hidden[i], &ht = t.hidden[2 * i];
    parts["hidden_hidden_mse_" + S + '_' + T] =
        hidden_mse_loss(linear(hs, weight.value, bias.value), ht);
    parts["hidden_nst_" + S + '-' + S + '_' + T + '-' + T] =
        nst_loss({hs, hs}, {ht, ht}, sequences);
  }
  for (const auto& [S, T] : {std::pair(0, 1), std::pair(1, 3)}) {
    const auto at = [](int i) { return static_cast<size_t>(i); };
    const Tensor &ms = s.probabilities[at(S)], &mt = t.probabilities[at(T)];
    const std::string layers = '_' + std::to_string(S) + '_' + std::to_string(T);
    parts["attention_attention_mse" + layers] =
        attention_mse_loss(ms, mt, sequences, {.negative_as_zero = true});
    parts["attention_attention_ce_mean" + layers] =
        attention_ce_loss(ms, mt, sequences, {.over_heads = true, .negative_as_zero = true});
  }
  Tensor total;
  for (const auto& [name, part] : parts) {
    expect_part(variant, "unweighted_" + name, part.item());
    const Tensor term = scale(part, name.find("ce_mean") != std::string::npos ? 0.5 : 1);
    total = total ? add(total, term) : term;
  }
  EXPECT_EQ(parts.size(), 1u + 6 + 4);
  expect_part(variant, "total_loss", total.item());
  expect_gradients(variant, student.parameters, tape.backward(total));
}

}  // namespace
}  // namespace ink
