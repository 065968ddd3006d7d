# docker build --tag fitness-assets .
# docker run --rm -p 127.0.0.1:3000:3000 -p 127.0.0.1:8501:8501 fitness-assets
# materializes every month and serves the Dagster UI and the dashboard. State is in /state; mount a
# volume there to keep it.
#
# docker build --target dashboard --tag fitness-dashboard .
# builds only the dashboard, for a small host; FITNESS_RELEASE_SOURCE is where it reads releases.

# deploy/compose.yaml, `make image` and CI pass this image with its digest.
ARG BASE_IMAGE=debian:bookworm-slim
FROM ${BASE_IMAGE} AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 tini \
 && apt-get clean && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 fitness \
 && install -d -o fitness -g fitness /state
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 FITNESS_HOME=/state FITNESS_HOST=0.0.0.0
VOLUME /state

FROM base AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-venv \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
RUN python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
COPY pyproject.toml uv.lock README.md LICENSE ./
COPY scripts/slim scripts/slim
# System certificates, so that the build works in a network with its own certificate authority.
ENV UV_LINK_MODE=copy UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never UV_SYSTEM_CERTS=1 \
    UV_LOCKED=1 UV_NO_DEFAULT_GROUPS=1

FROM build AS build-dashboard
# Such as `--extra object-store`, for releases in an object store.
ARG EXTRAS=""
RUN /uv/bin/uv sync $EXTRAS --no-install-project && scripts/slim .venv

FROM build AS build-platform
RUN /uv/bin/uv sync --all-extras --group test --no-install-project && scripts/slim .venv
COPY fitness_assets fitness_assets
COPY dashboard dashboard
RUN /uv/bin/uv sync --all-extras --group test

FROM base AS dashboard
COPY --from=build-dashboard /app/.venv /app/.venv
COPY dashboard dashboard
COPY fitness_assets fitness_assets
ENV PYTHONPATH=/app
USER fitness
EXPOSE 8501
HEALTHCHECK --start-period=60s --interval=30s CMD \
  ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
ENTRYPOINT ["tini", "--", "streamlit", "run", "dashboard/server.py", "--server.port=8501"]

FROM base
RUN apt-get update \
 && apt-get install -y --no-install-recommends procps \
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY --from=build-platform /app/.venv /app/.venv
COPY . /app
USER fitness
EXPOSE 3000 8501
HEALTHCHECK --start-period=300s --interval=30s CMD \
  ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
ENTRYPOINT ["tini", "-g", "--", "scripts/container"]
CMD ["serve"]
