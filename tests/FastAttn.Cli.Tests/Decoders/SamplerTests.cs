using System;
using System.Linq;

using Xunit;

namespace FastAttn.Cli.Tests.Decoders;

/// <summary>The choice of a token.</summary>
public sealed class SamplerTests
{
    private const int Draws = 20000;

    // Probabilities of 1/2, 3/10 and 1/5.
    private static readonly float[] Logits = [MathF.Log(0.3f), MathF.Log(0.5f), MathF.Log(0.2f)];

    [Fact]
    public void Greedy_choice_is_the_most_probable_token_and_of_several_the_first()
    {
        TokenSampler sampler = new(4);
        Assert.Equal(2, sampler.Next([-1, 3, 7, 6.5f]));
        Assert.Equal(1, sampler.Next([-1, 7, 7, 7]));
        Assert.Equal(3, sampler.Next([float.NegativeInfinity, -5, -5, -4]));
    }

    [Fact]
    public void Draws_have_the_models_probabilities() => Frequencies(new(3, temperature: 1, seed: 5), Logits, 0.3, 0.5, 0.2);

    // At temperature 1/2 probabilities are squared: 9, 25 and 4 of 38.
    [Fact]
    public void A_temperature_sharpens_them() => Frequencies(new(3, temperature: 0.5, seed: 5), Logits, 9.0 / 38, 25.0 / 38, 4.0 / 38);

    // At temperature 2 roots are taken.
    [Fact]
    public void A_temperature_flattens_them()
    {
        double sum = Math.Sqrt(0.3) + Math.Sqrt(0.5) + Math.Sqrt(0.2);
        Frequencies(new(3, temperature: 2, seed: 5), Logits, Math.Sqrt(0.3) / sum, Math.Sqrt(0.5) / sum, Math.Sqrt(0.2) / sum);
    }

    // 0.5 is less than 0.6, 0.5 + 0.3 is not: the nucleus has two tokens, 3 of 8 and 5 of 8.
    [Fact]
    public void Top_p_draws_from_the_fewest_tokens_that_have_it_together() => Frequencies(new(3, temperature: 1, topP: 0.6, seed: 5), Logits, 3.0 / 8, 5.0 / 8, 0);

    [Fact]
    public void A_small_top_p_is_greedy_choice() => Frequencies(new(3, temperature: 1, topP: 1e-9, seed: 5), Logits, 0, 1, 0);

    // Four equal probabilities of 1/4: exactly two have 1/2 together, and of equal ones the first are taken.
    [Fact]
    public void A_nucleus_that_has_its_probability_exactly_takes_no_more() => Frequencies(new(4, temperature: 1, topP: 0.5, seed: 5), [0, 0, 0, 0], 0.5, 0.5, 0, 0);

    [Fact]
    public void A_token_of_no_probability_is_never_drawn() => Frequencies(new(3, temperature: 1, seed: 5), [0, float.NegativeInfinity, 0], 0.5, 0, 0.5);

    [Fact]
    public void The_same_seed_draws_the_same_tokens()
    {
        int[] first = Sequence(7), again = Sequence(7), other = Sequence(8);
        Assert.Equal(first, again);
        Assert.NotEqual(first, other);

        static int[] Sequence(int seed)
        {
            TokenSampler sampler = new(3, temperature: 1, topP: 0.99, seed);
            return [.. Enumerable.Range(0, 50).Select(_ => sampler.Next(Logits))];
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Logits_that_are_no_numbers_are_an_error(float logit)
    {
        Assert.Contains("token 1", Assert.Throws<ArithmeticException>(() => new TokenSampler(3).Next([0, logit, 0])).Message, StringComparison.Ordinal);
        Assert.Throws<ArithmeticException>(() => new TokenSampler(3, temperature: 1).Next([0, logit, 0]));
    }

    [Fact]
    public void Logits_of_no_token_are_an_error() =>
        Assert.Throws<ArithmeticException>(() => new TokenSampler(2).Next([float.NegativeInfinity, float.NegativeInfinity]));

    private static void Frequencies(TokenSampler sampler, float[] logits, params double[] expected)
    {
        int[] counts = new int[expected.Length];
        for (int i = 0; i < Draws; i++)
            counts[sampler.Next(logits)]++;
        for (int i = 0; i < expected.Length; i++)
        {
            // Five standard deviations of a binomial distribution; none for what is certain. The seed is fixed.
            double deviation = Math.Sqrt(expected[i] * (1 - expected[i]) / Draws);
            Assert.Equal(expected[i], (double)counts[i] / Draws, 5 * deviation);
        }
    }
}
