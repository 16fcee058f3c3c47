// Surgery: cut models compute what masked ones do, in every family; sizes, errors, pruning again.
#include "compress/surgery.h"

#include <gtest/gtest.h>

#include "compress/choose_masks.h"
#include "nn/model_folder.h"
#include "nn/parameter_count.h"
#include "tests/compress/helpers.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

Masks some_masks() {
  return {{{1, 0, 1, 0}, {0, 0, 0, 1}}, {{1, 1, 0, 0, 1, 0, 1, 1}, {0, 0, 1, 0, 0, 0, 0, 0}}};
}

// Masks of half of everything by random importance, as uneven as the model allows.
Masks random_masks(const ModelConfig& config, uint64_t seed) {
  const PrunableSizes sizes = prunable_sizes(config);
  const auto half = [&](const std::vector<int64_t>& rows, int64_t networks) {
    Importance importance;
    int64_t all = 0;
    for (const int64_t n : rows) {
      importance.push_back(to_vector<double>(rand_uniform({n}, seed++, 0, 1)));
      all += n / networks;
    }
    return choose_mask(importance, full_mask(importance), all / 2,
                       {.even = config.shared.groups > 0, .networks = networks});
  };
  return {half(sizes.heads, 1), half(sizes.ffn, sizes.networks)};
}

Tensor logits(const Model& model, const FeatureBatch& batch, const EncoderOptions& options = {}) {
  return classify(model, batch.inputs, options);
}

TEST(Surgery, CutModelsComputeWhatMaskedOnesDo) {
  for (const std::string& family : kPrunableFamilies) {
    const Model model = tiny_model(tiny_family(family), 1);
    const FeatureBatch batch = random_batch({5, 1, 12}, 1);
    const Masks masks = random_masks(model.config, 3);
    const Model pruned = pruned_model(model, masks), masked = masked_model(model, masks);
    EXPECT_EQ(masked.parameters.elements(), model.parameters.elements());
    EXPECT_LT(pruned.parameters.elements(), model.parameters.elements());
    EXPECT_EQ(pruned.parameters.elements(), parameter_count(pruned.config, pruned.heads));
    EXPECT_LT(distance(logits(pruned, batch), logits(masked, batch)), 1e-6) << family;
    EXPECT_GT(distance(logits(pruned, batch), logits(model, batch)), 1e-3)
        << family << ": the masks should matter";
  }
}

// A gate of 0 is the head or neuron cut out: gates sit where importance says they do.
TEST(Surgery, CutModelsComputeWhatGatesOfZeroDo) {
  for (const std::string& family : kPrunableFamilies) {
    const Model model = tiny_model(tiny_family(family), 1);
    const FeatureBatch batch = random_batch({5, 1, 12}, 1);
    const Masks masks = random_masks(model.config, 4);
    for (const bool before : {false, true}) {
      std::vector<LayerGates> gates;
      const auto of_row = [&](const std::vector<uint8_t>& row) {
        const Tensor one = from(std::vector<float>(row.begin(), row.end()));
        return contiguous(expand(reshape(one, {1, one.size()}), {3, one.size()}));
      };
      for (size_t l = 0; l < masks.heads.size(); ++l) {
        gates.push_back({.heads = of_row(masks.heads[l]), .ffn_before = {}, .ffn_after = {}});
        (before ? gates.back().ffn_before : gates.back().ffn_after) = of_row(masks.ffn[l]);
      }
      EXPECT_LT(distance(logits(pruned_model(model, masks), batch),
                         logits(model, batch, {.gates = &gates})),
                1e-6)
          << family << (before ? ", before the activation" : "");
    }
  }
}

TEST(Surgery, GatesAreOnePerLayerOfWeights) {
  const Model model = tiny_model(tiny_family("albert"), 1);
  const std::vector<LayerGates> two(2);
  EXPECT_ERROR(logits(model, random_batch({3}, 1), {.gates = &two}),
               "expected gates of 1 layers, got 2");
}

TEST(Surgery, CountsAndIndependence) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 1);
  const PrunedModel pruned = prune_with_masks(model.config, model.parameters, some_masks());
  EXPECT_EQ(pruned.config.heads_per_layer, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(pruned.config.ffn_per_layer, (std::vector<int64_t>{5, 1}));
  // a head of size 4 at width 16: 4·16·4 weights + 12 biases; a neuron: 2·16 weights + 1 bias
  EXPECT_EQ(model.parameters.elements() - pruned.parameters.elements(),
            5 * (4 * 16 * 4 + 12) + 10 * 33);
  for (const Parameter& p : pruned.parameters)
    EXPECT_NE(p.value.storage().get(), model.parameters.at(p.name).value.storage().get()) << p.name;
}

// BERT-base uncased: 196,800 parameters a head, 1,537 a neuron, 4,608 a layer besides.
TEST(Surgery, SizesOfBertBase) {
  ModelConfig base;
  base.vocab_size = 30522;
  base.hidden_size = 768;
  base.set_layers(12, 12, 3072);
  const std::vector<std::pair<std::pair<int64_t, int64_t>, int64_t>> sizes = {
      {{12, 3072}, 109'482'240}, {{10, 2560}, 95'315'712}, {{8, 2048}, 81'149'184},
      {{6, 1536}, 66'982'656},   {{4, 1024}, 52'816'128},  {{2, 512}, 38'649'600},
      {{1, 256}, 31'566'336}};
  for (const auto& [size, parameters] : sizes) {
    const auto row = [](int64_t all, int64_t kept) {
      std::vector<uint8_t> keep(static_cast<size_t>(all));
      std::fill_n(keep.begin(), kept, uint8_t{1});
      return keep;
    };
    const ModelConfig pruned =
        pruned_config(base, {Mask(12, row(12, size.first)), Mask(12, row(3072, size.second))});
    EXPECT_EQ(parameter_count(pruned, {.pooler = true}), parameters);
  }
}

TEST(Surgery, PrunedModelsCanBeSavedLoadedAndPrunedAgain) {
  const std::filesystem::path folder = scratch_folder("ink_pruned");
  const Model once = pruned_model(tiny_model(tiny_config(2, 4, 8), 1), some_masks());
  save_model(once, folder);
  const Model loaded = load_model(folder);
  const FeatureBatch batch = random_batch({5, 3}, 2);
  EXPECT_TRUE(equal_bits(logits(once, batch), logits(loaded, batch)));
  const Masks again{{{0, 1}, {1}}, {{1, 0, 0, 1, 1}, {1}}};
  const Model twice = pruned_model(loaded, again);
  EXPECT_EQ(twice.config.heads_per_layer, (std::vector<int64_t>{1, 1}));
  // the same heads and neurons in one cut: the second of {0, 2};
  // the first, fourth and fifth of {0, 1, 4, 6, 7}
  const Masks both{{{0, 0, 1, 0}, {0, 0, 0, 1}},
                   {{1, 0, 0, 0, 0, 0, 1, 1}, {0, 0, 1, 0, 0, 0, 0, 0}}};
  EXPECT_TRUE(equal_bits(logits(twice, batch),
                         logits(pruned_model(tiny_model(tiny_config(2, 4, 8), 1), both), batch)));
  std::filesystem::remove_all(folder);
}

TEST(Surgery, EveryFamilyIsSavedAndLoaded) {
  const std::filesystem::path folder = scratch_folder("ink_pruned_families");
  for (const std::string& family : kPrunableFamilies) {
    const Model model = tiny_model(tiny_family(family), 1);
    const Model pruned = pruned_model(model, random_masks(model.config, 3));
    save_model(pruned, folder / family);
    const FeatureBatch batch = random_batch({5, 3}, 2);
    EXPECT_TRUE(equal_bits(logits(pruned, batch), logits(load_model(folder / family), batch)))
        << family;
  }
  std::filesystem::remove_all(folder);
}

TEST(Surgery, BadMasks) {
  const Model model = tiny_model(tiny_config(2, 4, 8), 1);
  EXPECT_ERROR(pruned_model(model, {{{1, 1, 1, 1}}, {}}),
               "expected a mask of 2 layers of heads, got 1");
  EXPECT_ERROR(pruned_model(model, {{{1, 1, 1}, {1, 1, 1, 1}}, {}}),
               "layer 0 has 4 heads, but a mask of 3");
  EXPECT_ERROR(pruned_model(model, {{{1, 1, 1, 1}, {0, 0, 0, 0}}, {}}),
               "leaves layer 1 without heads");
}

TEST(Surgery, OfABodyWithoutHeadsIsRefused) {
  ModelConfig config = tiny_config(2, 4, 8);
  config.family = &family_of("bigru");
  EXPECT_ERROR(prunable_sizes(config), "bigru has no attention heads");
}

TEST(Surgery, BadMasksOfSharedLayersAndOfNetworks) {
  ModelConfig shared = tiny_family("albert");
  shared.shared = {.groups = 2, .inner = 1};
  EXPECT_ERROR(pruned_config(shared, {{{1, 1, 0, 0}, {1, 1, 1, 0}}, {}}),
               "layers that share weights are of one size; expected 2 heads in each, got 3");
  std::vector<uint8_t> row(24, 1);
  row[9] = 0;
  EXPECT_ERROR(pruned_config(tiny_family("mobilebert"), {{}, {row, row}}),
               "expected 8 neurons of network 1 in layer 0, got 7");
}

}  // namespace
}  // namespace ink
