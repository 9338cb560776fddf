# Two stages: the first has pip, the build tools and the sources; the second has Python and the installed gateway.

# Pinned by digest, for all platforms, so that the same commit gives the same image. docs/running.md says how to renew it.
ARG PYTHON_IMAGE=python:3.11.16-slim@sha256:8203f8b7cc03e7a0b2da2a7bfebdb7e39d985983791e2aba5b01cc535bf36f53

FROM ${PYTHON_IMAGE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements-image.txt requirements-build.txt ./
RUN python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements-build.txt \
    && python -m venv /opt/gateway \
    && /opt/gateway/bin/pip install --require-hashes -r requirements-image.txt
COPY pyproject.toml README.md LICENSE NOTICE .env.example ./
COPY config config
COPY gateway gateway
COPY llm_simulator llm_simulator
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheel . \
    && /opt/gateway/bin/pip install --no-deps --no-index /opt/wheel/*.whl

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="auto-gateway" \
      org.opencontainers.image.description="An OpenAI-compatible LLM gateway: routes each request to the cheapest model that is good enough, and records its cost in a ledger." \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --home-dir /data --create-home gateway
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_DB=/data/gateway.db
USER gateway
# The ledger, and /data/config/gateway.yaml if there is one. 0.0.0.0 can be reached by others, so GATEWAY_API_KEY has to be set.
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + (os.environ.get('GATEWAY_PORT') or '8000') + '/healthz', timeout=4)"]
CMD ["gateway", "serve"]
