// The weights of the golden models: a hash of (name, index), the same here and in
// tools/golden/bert.py.
#pragma once
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "nn/scope.h"
#include "tensor/packed.h"
#include "tensor/safetensors.h"

namespace ink::testing {

// Number i of the sequence `seed`, in [-0.5, 0.5).
inline float hashed(uint32_t seed, uint32_t i) {
  uint32_t x = i * 0x9E3779B1u + seed;
  x ^= x >> 16;
  x *= 0x85EBCA6Bu;
  x ^= x >> 13;
  x *= 0xC2B2AE35u;
  x ^= x >> 16;
  return static_cast<float>(x >> 8) * 0x1p-24f - 0.5f;
}

inline uint32_t seed_of(const std::string& name) {
  uint32_t seed = 0x811C9DC5u;
  for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 0x01000193u;
  return seed;
}

// Every parameter uniform in ±spread/2, layer norms around 1.
inline ValueSource golden_weights(float spread) {
  return [spread](const std::string& name, const Shape& shape, const Initial&) {
    const uint32_t seed = seed_of(name);
    const float center = name.ends_with("LayerNorm.weight") ? 1.0f : 0.0f;
    Tensor x(shape);
    float* out = x.data<float>();
    for (int64_t i = 0; i < x.size(); ++i)
      out[i] = hashed(seed, static_cast<uint32_t>(i)) * spread + center;
    return x;
  };
}

inline SafeTensors golden() {
  return SafeTensors(std::filesystem::path(INK_SOURCE_DIR) / "tests/golden/bert.safetensors");
}

// A stored batch: `prefix`.ids and so on.
struct GoldenBatch {
  Packed packed;
  Tensor rows, labels, pairs;

  GoldenBatch(const SafeTensors& file, const std::string& prefix)
      : packed{file.tensor(prefix + ".ids"), file.tensor(prefix + ".segments"), Tensor(),
               file.tensor(prefix + ".offsets")},
        rows(file.tensor(prefix + ".rows")),
        labels(file.tensor(prefix + ".labels")),
        pairs(file.tensor(prefix + ".pairs")) {
    std::vector<int32_t> positions;
    const int32_t* at = packed.offsets.data<int32_t>();
    for (int64_t b = 0; b < packed.sequences(); ++b) {
      for (int32_t t = 0; t < at[b + 1] - at[b]; ++t) positions.push_back(t);
    }
    packed.positions = from(positions);
  }
};

inline std::vector<double> doubles(const Tensor& x) {
  return to_vector<double>(converted(x, Dtype::f64));
}

inline double largest(const Tensor& x) {
  double most = 0;
  for (const double v : doubles(x)) most = std::max(most, std::abs(v));
  return most;
}

// Largest difference; infinite where the shapes differ or a number is NaN.
inline double difference(const Tensor& x, const Tensor& reference) {
  if (x.shape() != reference.shape()) return INFINITY;
  const std::vector<double> a = doubles(x), b = doubles(reference);
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(a[i] - b[i]);
    most = std::isnan(d) ? INFINITY : std::max(most, d);
  }
  return most;
}

inline double relative_difference(const Tensor& x, const Tensor& reference) {
  return difference(x, reference) / largest(reference);
}

}  // namespace ink::testing
