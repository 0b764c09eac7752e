using System;

using FastAttn.Embeddings;

using Microsoft.Extensions.AI;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Registers a <see cref="FastAttnEmbeddingGenerator"/> with a service collection.</summary>
/// <remarks>
/// <c>AddEmbeddingGenerator</c> of the package Microsoft.Extensions.AI does as well, and lets caches, logs and telemetry be put around it:
/// <c>services.AddEmbeddingGenerator(_ =&gt; FastAttnEmbeddingGenerator.Load(path)).UseLogging()</c>.
/// </remarks>
public static class FastAttnEmbeddingsServiceCollectionExtensions
{
    /// <summary>Registers one generator for all as <c>IEmbeddingGenerator&lt;string, Embedding&lt;float&gt;&gt;</c> and <see cref="IEmbeddingGenerator"/>.</summary>
    /// <param name="services">Where it is registered.</param>
    /// <param name="path">The model, as <see cref="FastAttnEmbeddingGenerator.Load"/> takes it; it is read when the generator is first asked for.</param>
    /// <param name="options">As <see cref="FastAttnEmbeddingGenerator.Load"/>.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <exception cref="ArgumentException"><paramref name="services"/> is null, or <paramref name="path"/> null or empty.</exception>
    public static IServiceCollection AddFastAttnEmbeddings(this IServiceCollection services, string path, FastAttnEmbeddingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(path);
        services.AddSingleton<IEmbeddingGenerator<string, Embedding<float>>>(_ => FastAttnEmbeddingGenerator.Load(path, options));
        return services.AddSingleton<IEmbeddingGenerator>(static provider => provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>());
    }

    /// <summary>Registers one generator for all under a key, for programs that have more than one.</summary>
    /// <param name="services">Where it is registered.</param>
    /// <param name="serviceKey">The key.</param>
    /// <param name="path">The model, as <see cref="FastAttnEmbeddingGenerator.Load"/> takes it; it is read when the generator is first asked for.</param>
    /// <param name="options">As <see cref="FastAttnEmbeddingGenerator.Load"/>.</param>
    /// <returns><paramref name="services"/>.</returns>
    /// <exception cref="ArgumentException"><paramref name="services"/> is null, or <paramref name="path"/> null or empty.</exception>
    public static IServiceCollection AddKeyedFastAttnEmbeddings(this IServiceCollection services, object? serviceKey, string path, FastAttnEmbeddingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentException.ThrowIfNullOrEmpty(path);
        services.AddKeyedSingleton<IEmbeddingGenerator<string, Embedding<float>>>(serviceKey, (_, _) => FastAttnEmbeddingGenerator.Load(path, options));
        return services.AddKeyedSingleton<IEmbeddingGenerator>(serviceKey, static (provider, key) => provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(key));
    }
}
